"""The page as plain data, and its rendering; whatever comes from outside passes through the template's escaping."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Text:
    """A paragraph; the tone is "", good, bad or note."""

    text: str
    tone: str = ""
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Bullets:
    """A list of (tone, sentence)."""

    items: Sequence[tuple[str, str]]
    kind: str = field(default="bullets", init=False)


@dataclass(frozen=True)
class Tiles:
    """Numbers to see first: (number, what it counts)."""

    items: Sequence[tuple[str, str]]
    kind: str = field(default="tiles", init=False)


@dataclass(frozen=True)
class Table:
    """A table of text; `tones` gives a tone by the exact text of a cell."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    tones: dict[str, str] = field(default_factory=dict)
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Figure:
    """A picture with what is shown, how it was made, and what is remarkable.

    `content` is markup that this package made; `alt` says in words what a reader without eyes must know.
    """

    content: Markup
    alt: str
    shown: str
    made: str
    remarkable: str
    live: bool = False
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Source:
    """A block of text as it stands, folded away under a title."""

    title: str
    text: str
    kind: str = field(default="source", init=False)


Block = Text | Bullets | Tiles | Table | Figure | Source


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    name: str
    title: str
    blocks: Sequence[Block]


def render(title: str, run: str, sections: Sequence[Section], script: str) -> str:
    """The page as one HTML text that asks for nothing outside itself.

    `script` is the text of 3Dmol.js, or empty where no live view is on the page.
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    page = environment.get_template("index.html.j2")
    return page.render(title=title, run=run, sections=sections, style=style, script=Markup(script))
