"""HTML as its elements."""

import json
from html.parser import HTMLParser


class Elements(HTMLParser):
    """The elements of a page with their attributes, and all of its text; every element must be closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data

    def of(self, tag):
        """The attributes of all elements of a name."""
        return [attrs for name, attrs in self.found if name == tag]


def of_class(html, kind):
    """The attributes of all elements of a class."""
    return [attrs for _, attrs in Elements(html).found if kind in (attrs.get("class") or "").split()]


def readout_of(html):
    """What the pointer shows: places, headlines, and rows of texts by their names."""
    (svg,) = Elements(html).of("svg")
    content = json.loads(svg["data-points"])
    rows = {name: texts.split("|") for name, texts in content["rows"].items()}
    return content["places"], content["heads"].split("\n"), rows
