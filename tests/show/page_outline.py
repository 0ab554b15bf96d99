"""A page as its parts: tags, headings, scripts, and the text within each id."""

import re
from html.parser import HTMLParser


class Outline(HTMLParser):
    """The tags of a page, its headings, the text of each script, and that within each id."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.headings, self.scripts, self.text = [], [], [], ""
        self.within, self.terms, self._open = {}, [], []
        self._in_script, self.misnested = False, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append((tag, dict(attrs).get("id")))
        if tag in ("dt", "dd"):
            self.terms.append((self.inside[-1] if self.inside else None, tag, ""))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "script":
            self.scripts.append("")
            self._in_script = True

    @property
    def inside(self):
        return [name for _, name in self._open if name and not name.startswith("word-")]

    def handle_endtag(self, tag):
        opened = self._open.pop()[0] if self._open else None
        if opened != tag:
            self.misnested.append((opened, tag))
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data
            return
        self.text += data
        for name in self.inside:
            self.within[name] = self.within.get(name, "") + data
        if {"dt", "dd"} & {tag for tag, _ in self._open}:
            self.terms[-1] = (*self.terms[-1][:2], self.terms[-1][2] + data)

    def list_in(self, section):
        """Return the definitions in a section, term and meaning."""
        said = [(tag, " ".join(text.split())) for name, tag, text in self.terms if name == section]
        return {
            term: meaning for (_, term), (_, meaning) in zip(said[::2], said[1::2], strict=True)
        }
