import base64
import hashlib
import json
import re
from typing import Any

import pytest

from tests.show.hand_made_traces import document, trace
from tests.show.page_outline import Outline
from undertow.errors import MissingExtra, UndertowError
from undertow.show import png
from undertow.show.figures import KINDS
from undertow.show.report import page as report
from undertow.trace.record import Event
from undertow.trace.schema import VARIABLES

HOSTILE = "<script>alert(1)</script><!-- \u2028 &"
IMAGE = "</script></pre>\"'><img src=x onerror=alert(1)>"
NAMES = ["sigmoid", HOSTILE]
DRAWN = [kind.name for kind in KINDS]
DRAWN.insert(DRAWN.index("test-accuracy") + 1, "ranking")
TRACES = {"sigmoid": trace(seed=1), HOSTILE: trace(seed=2, layer_name=HOSTILE, note=HOSTILE)}
WORDS: dict[str, Any] = {
    "title": f"Title {HOSTILE}",
    "command": "undertow run moons",
    "words": "It vanishes.",
}
SICK: dict[str, Any] = {
    "outcome": "sick",
    "reason": "",
    "root_cause": {
        "code": "UT101",
        "title": "vanishing gradient",
        "layers": ["hidden_1"],
        "evidence": "4 decades are lost",
        "remedies": ["batch-norm"],
        "advice": ["normalise"],
    },
    "findings": [{"code": "UT101", "title": "vanishing gradient", "share": 1.0}],
}
WELL = {"outcome": "healthy", "reason": "", "root_cause": None, "findings": []}


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
    insight = report.Insight({"sigmoid": SICK, HOSTILE: WELL}, {})
    return report.page(document(NAMES), TRACES, **WORDS, insight=insight)


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
    assert "http:" not in policies[0]
    assert "https" not in policies[0]


def test_no_script_runs_but_the_two_of_the_page(outline):
    (policy,) = (attrs["content"] for _, attrs in outline.tags if "http-equiv" in attrs)
    (allowed,) = re.findall(r"script-src ([^;]*);", policy)
    digests = [hashlib.sha256(text.encode()).digest() for text in outline.scripts[-2:]]
    assert allowed.split() == [f"'sha256-{base64.b64encode(each).decode()}'" for each in digests]


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


def test_whatever_a_run_says_is_text():
    sick = SICK | {
        "root_cause": {
            name: [IMAGE] if isinstance(value, list) else IMAGE
            for name, value in SICK["root_cause"].items()
        },
        "findings": [{"code": IMAGE, "title": IMAGE, "share": 0.5}, *SICK["findings"]],
    }
    event = Event("nonfinite", 2, IMAGE, 0, IMAGE)
    versions = {"python": IMAGE, "undertow": IMAGE}
    hostile = trace(layer_name=IMAGE, events=[event], versions=versions, sampling=IMAGE, data=IMAGE)
    known = document([IMAGE])
    known["arms"][0]["run"] = known["store"] = known["experiment"] = IMAGE
    known["claims"] = [{"claim": IMAGE, "verdict": IMAGE, "evidence": IMAGE}]
    insight = report.Insight({IMAGE: sick}, {})
    words = {"title": IMAGE, "command": IMAGE, "words": IMAGE, "again": IMAGE}
    outline = Outline(report.page(known, {IMAGE: hostile}, **words, insight=insight))
    assert {tag for tag, _ in outline.tags} & {"img", "b"} == set()
    assert not any(name.startswith("on") for _, attrs in outline.tags for name in attrs)
    for part in ("verdict", "evidence", "method", "cite", "command", "again", "citation"):
        assert IMAGE in outline.within[part], part


def test_an_unescaped_name_would_be_found(page):
    head, body = page.split("<h1>")
    broken = Outline(head + body.replace("&lt;script&gt;alert(1)&lt;/script&gt;", HOSTILE, 1))
    assert "alert(1)" in broken.scripts


def test_the_libraries_are_there_once(page, outline):
    assert sum("window.vegaEmbed" in text for text in outline.scripts) == 1
    assert page.count("window.vegaEmbed=") == 1


def test_the_page_is_readable(outline):
    assert outline.misnested == []
    assert ("html", {"lang": "en"}) in outline.tags
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    assert all("scope" in attributes for tag, attributes in outline.tags if tag == "th")
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("caption") == tags.count("table")
    for landmark in ("header", "nav", "main", "footer"):
        assert tags.count(landmark) == 1


def test_each_figure_has_its_text_in_place_of_the_picture(outline):
    alts = {each.name: each.alt for each in report.figures(document(NAMES), TRACES)}
    charts = {
        attributes["data-of"]: (attributes["role"], attributes["aria-label"])
        for _, attributes in outline.tags
        if attributes.get("class") == "chart"
    }
    assert charts == {name: ("img", " ".join(alt.split("\n"))) for name, alt in alts.items()}
    assert all(len(alt) > 40 for alt in alts.values())


def test_the_verdict_comes_first_then_evidence_then_method(outline, page):
    sections = [attrs["id"] for tag, attrs in outline.tags if tag == "section"]
    assert sections == ["verdict", "evidence", "method", "glossary", "cite"]
    targets = [attrs["href"] for tag, attrs in outline.tags if tag == "a" and "id" not in attrs]
    assert targets[:6] == ["#verdict", *(f"#{name}" for name in sections)]
    evidence = page.index('<section id="evidence"')
    assert page.index("It vanishes.") < evidence < page.index("<figure") < page.index("<h3>The net")


def test_every_link_leads_somewhere(outline):
    links = {attrs["href"] for tag, attrs in outline.tags if tag == "a"}
    assert "#word-UT101" in links
    assert links <= {f"#{attrs['id']}" for _, attrs in outline.tags if "id" in attrs}


def test_the_verdict_of_each_arm(outline):
    said = re.sub(r"\s+", " ", outline.within["verdict"])
    headline = "1 of 2 arms is sick: vanishing gradient in sigmoid. 1 arm is healthy"
    assert said.index(headline) < said.index("What was tried") < said.index("What to do")
    assert "sigmoid sick Vanishing gradient (UT101)" in said
    assert outline.list_in("verdict")["Layers"] == "hidden_1"
    assert outline.list_in("verdict")["Evidence"] == "4 decades are lost"
    assert outline.list_in("verdict")["What helps, most first"] == "normalise (batch-norm)"


def drawn_from(traces):
    return {each.name: report.specification(each) for each in report.figures({}, traces)}


def test_the_glossary_has_the_variables_that_the_figures_draw_and_no_other():
    traces = {"a": trace(seed=1)}
    whole = drawn_from(traces)
    # What a figure looks like without it decides whether a variable is drawn.
    used = {
        name
        for name in map(str, traces["a"].dataset.data_vars)
        if drawn_from({"a": trace(seed=1, without=(name,))}) != whole
    }
    assert used
    assert used < set(traces["a"].dataset.data_vars)
    outline = Outline(report.page({}, traces, **WORDS))
    found = {
        term.split()[0]: (term, meaning.split("; figure")[0])
        for term, meaning in outline.list_in("glossary").items()
        if term.split()[0] in VARIABLES
    }
    assert found == {
        name: (f"{name} ({each.unit})", each.meaning)
        for name, each in VARIABLES.items()
        if name in used
    }


def test_the_glossary_has_what_a_verdict_rests_on():
    # No figure draws the weights' norm; the rule on small updates reads it.
    found = [{"code": "UT107", "title": "updates too small", "share": 1.0}]
    judged = SICK | {"findings": found, "root_cause": SICK["root_cause"] | {"code": "UT107"}}
    for diagnoses, there in (({}, False), ({"b": SICK}, False), ({"b": judged}, True)):
        insight = report.Insight(diagnoses, {})
        page = report.page({}, with_variable("weight_norm"), **WORDS, insight=insight)
        assert ("weight_norm (1)" in Outline(page).list_in("glossary")) == there


def with_variable(name):
    one = trace()
    one.dataset[name] = one.dataset["grad_norm"]
    return {"b": one}


def test_the_glossary_has_its_words_and_no_others(outline):
    known = outline.list_in("glossary")
    assert {"gradient", "delta", "dex", "stuck", "arm", "replicate"} <= set(known)
    assert "chance to be better" in known
    assert known["dex"].startswith("One power of ten")
    assert [term for term in known if term.startswith("UT")] == ["UT101"]


def test_the_box_has_the_command_as_typed():
    command = """undertow run moons --arm '<b> & "c"' --report r.html"""
    again = "undertow run moons --seed 3"
    words: dict[str, Any] = WORDS | {"command": command, "again": again}
    outline = Outline(report.page(document(NAMES), TRACES, **words))
    assert outline.within["command"] == command
    assert outline.within["again"] == again
    assert outline.within["citation"] == (
        "Undertow 0.1.0, report of runs moons-0, moons-1; 2026-01-01."
    )
    facts = outline.list_in("cite")
    assert facts == {
        "runs": "moons-0, moons-1",
        "Undertow": "0.1.0",
        "date of the runs": "2026-01-01",
        "seeds": "0 to 4",
        "trace schema": "version 1",
        "store": "undertow.db",
    }


def test_a_print_loses_nothing(page):
    style = page[page.index("<style>") : page.index("</style>")]
    printed = style[style.index("@media print") :]
    hidden = re.findall(r"([^{}]*)\{[^{}]*display: none", printed)
    assert [each.strip() for each in hidden] == [".skip, .copy"]
    assert not re.search(r"sticky|fixed", style)
    for words in ("break-inside: avoid", "overflow: visible", "details::details-content"):
        assert words in printed, words


def test_the_page_says_what_the_document_says(outline):
    text = re.sub(r"\s+", " ", outline.text)
    for words in (
        "It vanishes.",
        "In the experiment moons 5 networks of each of 2 arms",
        "1 is supported",
        "75.0 % [50.0, 90.0]",
        "1 of 5",
        "1 × 10⁻⁶",
        "-4.2",
        "+25.0 points",
        "supported. They do: 1 & 2.",
        "not tested. needs the arm x",
        "undertow run moons",
        "0 to 4",
        "Frobenius norm of dE/dW",
        "2 × 3",
        "keras adam",
        "8 to train on, 4 to test on",
    ):
        assert words in text, words


def test_figures_are_numbered_as_they_stand(outline, page):
    assert re.findall(r"Figure (\d+)\. ", outline.text) == [
        str(place + 1) for place in range(len(DRAWN))
    ]
    places = re.findall(r'<figure id="([^"]*)"', page)
    assert sorted(places) == sorted(DRAWN)
    numbers = outline.list_in("glossary")["delta_norm (loss)"].split("figure ")[1]
    assert int(numbers) == places.index("delta-by-layer") + 1


def test_dex_is_explained_on_the_first_screen_and_after_the_first_table(page):
    assert page.index(">Dex</a> and decade count powers of ten") < page.index("<table>")
    table, told = page.index("</table>"), page.index("<strong>Dex</strong>")
    assert table < told < page.index("<table>", table)


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
