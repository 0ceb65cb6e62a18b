"""The page as plain data, and its rendering; whatever comes from outside passes through the template's escaping."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from foldgraft.viewer.parts import part

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
    """A table of text; `tones` gives a tone by the exact text of a cell.

    On a narrow page each row becomes a card with its first cell as title, so that no column is out of sight.
    """

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
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Heading:
    """A heading within a chapter; those of level 3 are in the table of contents."""

    text: str
    name: str
    level: int = 3
    kind: str = field(default="heading", init=False)


@dataclass(frozen=True)
class Source:
    """A block of text as it stands, folded away under a title."""

    title: str
    text: str
    kind: str = field(default="source", init=False)


@dataclass(frozen=True)
class Fold:
    """Blocks folded away under a title."""

    title: str
    blocks: Sequence["Block"]
    kind: str = field(default="fold", init=False)


@dataclass(frozen=True)
class Linked:
    """Linked views of proteins, drawn by the page's own script.

    `content` is JSON for a script element, `head` the experiment whose predictions are shown, or empty.
    """

    content: Markup
    head: str
    remarkable: str
    kind: str = field(default="linked", init=False)


Block = Text | Bullets | Tiles | Table | Figure | Heading | Source | Fold | Linked


@dataclass(frozen=True)
class Section:
    """A chapter of the page; a folded one shows its title until it is opened."""

    name: str
    title: str
    blocks: Sequence[Block]
    folded: bool = False

    @property
    def headings(self) -> list[Heading]:
        """The headings within it, for the table of contents."""
        return [block for block in self.blocks if isinstance(block, Heading) and block.level == 3]


@dataclass(frozen=True)
class Page:
    """The whole page, before it is markup.

    `script` is the text of 3Dmol.js, or empty where no live view is on the page.
    """

    title: str
    run: str
    sections: Sequence[Section]
    script: str


def render(page: Page) -> str:
    """The page as one HTML text that asks for nothing outside itself."""
    parts = {
        "style": part("viewer.css") + _own("style.css"),
        "theme": _own("theme.js"),
        "own": part("tools.js") + _own("page.js"),
        "linked": part("molecule.js") + _own("linked.js"),
    }
    known = {"title": page.title, "run": page.run, "sections": page.sections, "script": Markup(page.script)}
    return _environment().get_template("index.html.j2").render(**known, **parts)


def render_figure(figure: Figure) -> str:
    """One figure with its caption as an HTML text of its own."""
    still = _environment().get_template("still.html.j2")
    return still.render(title=figure.shown, block=figure, style=_own("style.css"))


def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)


def _own(file: str) -> Markup:
    """A style sheet or script of this package."""
    return Markup((TEMPLATES / file).read_text(encoding="utf-8"))
