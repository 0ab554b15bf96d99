import json
import re
from html.parser import HTMLParser

import pytest
from hand_made_traces import document, trace

from undertow.errors import MissingExtra, UndertowError
from undertow.show import png, report
from undertow.show.figures import KINDS

HOSTILE = "<script>alert(1)</script><!-- \u2028 &"
NAMES = ["sigmoid", HOSTILE]
DRAWN = [kind.name for kind in KINDS]
DRAWN.insert(DRAWN.index("test-accuracy") + 1, "ranking")
TRACES = {"sigmoid": trace(seed=1), HOSTILE: trace(seed=2, layer_name=HOSTILE, note=HOSTILE)}
WORDS = {"title": f"Title {HOSTILE}", "command": "undertow run moons", "words": "It vanishes."}


class Outline(HTMLParser):
    """The tags of a page, its headings, and the text of each script."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.headings, self.scripts, self.text = [], [], [], ""
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "script":
            self.scripts.append("")
            self._in_script = True

    def handle_endtag(self, tag):
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data
        else:
            self.text += data


def loaded_from_outside(outline):
    """Return what a browser would fetch: no element may name a source."""
    return [
        (tag, attributes)
        for tag, attributes in outline.tags
        if tag in ("link", "iframe", "img", "object", "embed", "base")
        or (tag != "a" and {"src", "href", "srcset", "data"} & set(attributes))
    ]


@pytest.fixture(scope="module")
def page():
    return report.page(document(NAMES), TRACES, **WORDS)


@pytest.fixture(scope="module")
def outline(page):
    return Outline(page)


def test_nothing_is_fetched(outline, page):
    assert loaded_from_outside(outline) == []
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.search(r"@import|url\(", style)
    policies = [
        attributes["content"]
        for _, attributes in outline.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies[0].startswith("default-src 'none'; ")
    assert "http" not in policies[0]


@pytest.mark.parametrize(
    "tag", ['<script src="https://x/y.js">', '<link href="a.css">', '<img src="http://x/y.png">']
)
def test_a_fetch_would_be_found(tag):
    assert loaded_from_outside(Outline(tag))


def test_a_hostile_name_is_text(outline):
    # One for each figure, one for the libraries, one that starts them.
    assert len(outline.scripts) == len(DRAWN) + 2
    assert "<script>alert(1)</script>" in outline.text
    for text in outline.scripts[:-2]:
        json.loads(text)
        assert "<" not in text
    assert "\u2028" not in "".join(outline.scripts[:-2])


def test_an_unescaped_name_would_be_found(page):
    head, body = page.split("<h1>")
    broken = Outline(head + body.replace("&lt;script&gt;alert(1)&lt;/script&gt;", HOSTILE, 1))
    assert "alert(1)" in broken.scripts


def test_the_libraries_are_there_once(page, outline):
    assert sum("window.vegaEmbed" in text for text in outline.scripts) == 1
    assert page.count("window.vegaEmbed=") == 1


def test_the_page_is_readable(outline):
    assert outline.tags[1] == ("html", {"lang": "en"}) or ("html", {"lang": "en"}) in outline.tags
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    assert all("scope" in attributes for tag, attributes in outline.tags if tag == "th")
    charts = [attributes for _, attributes in outline.tags if attributes.get("class") == "chart"]
    assert len(charts) == len(DRAWN)
    assert all(len(chart["aria-label"]) > 40 for chart in charts)


def test_the_page_says_what_the_document_says(outline):
    text = re.sub(r"\s+", " ", outline.text)
    for words in (
        "It vanishes.",
        "75.0 % [50.0, 90.0]",
        "1 of 5",
        "1 × 10⁻⁶",
        "-4.2",
        "+25.0 points",
        "supported. They do: 1 & 2.",
        "not tested. needs the arm x",
        "undertow run moons",
        "0 to 4 (5)",
        "Frobenius norm of dE/dW",
        "2 × 3",
    ):
        assert words in text, words


def test_dex_is_explained_after_the_first_table(page):
    assert page.index("</table>") < page.index("<strong>Dex</strong>") < page.index("<h2>What is")


def test_ten_arms_stay_under_six_megabytes(tmp_path):
    names = [f"arm-{place}" for place in range(10)]
    traces = {name: trace(20, 100, seed=place) for place, name in enumerate(names)}
    path = report.write(tmp_path / "r.html", document(names), traces, **WORDS)
    assert 1e6 < path.stat().st_size < 6e6


def test_what_cannot_be_drawn_is_named():
    bare = trace(without=("accuracy", "test_accuracy", "test_loss", "decision_grid", "data_inputs"))
    drawn = {figure.name for figure in report.figures(document(["a"]), {"a": bare})}
    left = {omission.name: omission.reason for omission in report.left_out({}, {"a": bare})}
    assert drawn | set(left) == set(DRAWN)
    assert "gradient-by-layer" in drawn
    assert left["stuck"] == "not drawn: the run holds no test_accuracy"
    assert left["data"] == "not drawn: the run holds no data_inputs"
    page = report.page({"arms": []}, {"a": bare}, **WORDS)
    assert "data: not drawn: the run holds no data_inputs." in page


def test_an_arm_without_its_numbers_is_named():
    arms = {"a": trace(), "b": trace(without=("delta_norm",))}
    left = {omission.name: omission.reason for omission in report.left_out({}, arms)}
    assert left == {"delta-by-layer": "drawn without b, which hold no delta_norm"}


def test_figures_come_with_their_words():
    drawn = report.figures(document(NAMES), TRACES)
    assert [figure.name for figure in drawn] == DRAWN
    assert all(figure.title and figure.how_to_read and figure.alt for figure in drawn)
    assert all(report.specification(figure).get("title") is None for figure in drawn)


def test_arms_come_in_the_documents_order():
    arms = {"z": trace(seed=1), "a": trace(seed=2)}
    (first, *_) = report.figures(document(["a", "z"]), arms)
    panels = first.chart.to_dict()["concat"]
    assert [panel["title"]["text"] for panel in panels] == ["a", "z"]


def test_a_report_is_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(UndertowError, match=r"cannot write the report .*report.html: full"):
        report.write(path, document(["a"]), {"a": trace()}, **WORDS)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UndertowError, match=r"directory. Name a file with --report"):
        report.write(tmp_path / "no" / "r.html", document(["a"]), {"a": trace()}, **WORDS)


def test_nan_never_reaches_the_page():
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.script_safe({"value": float("nan")})


def test_pictures(tmp_path):
    drawn = report.figures(document(["a"]), {"a": trace()})[:2]
    paths = png.write(tmp_path / "new" / "folder", drawn)
    assert [path.name for path in paths] == ["gradient-by-layer.png", "delta-by-layer.png"]
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(content) > 5000


def test_pictures_into_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UndertowError, match=r"cannot write figures to .*file"):
        png.write(tmp_path / "file", [])


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtra, match="jinja2 is not installed: type  pip install 'undertow"):
        report.page({}, {}, **WORDS)
