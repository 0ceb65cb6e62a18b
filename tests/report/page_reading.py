"""How tests read the page of a report."""

import json
import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "image", "path", "use", "rect"}


class Outline(HTMLParser):
    """Elements, attributes and balance of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def elements(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def cells(text: str, first: str) -> list[str]:
    """The first table row that begins with a text."""
    row = re.search(rf"<tr><td[^>]*>{re.escape(first)}</td>.*?</tr>", text)
    return re.findall(r"<td[^>]*>([^<]*)</td>", row.group())


def linked_data(text: str) -> list[dict]:
    """What the script of the linked views reads."""
    return json.loads(re.search(r'<script type="application/json" id="linked-data">(.*?)</script>', text)[1])
