"""The figures of the page one by one, for Snakemake's own report (`snakemake --report`)."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from foldgraft.report.page import Block, Figure, Fold, Heading, Section, render_figure

LONGEST = 60
"""Letters of what a figure shows in the name of its file."""
NAME = re.compile(r"[0-9]+[.][a-z0-9-]+[.]html")
"""How the file of a figure is called."""


def write_figures(sections: Sequence[Section], folder: Path) -> None:
    """Write each figure, with its caption, as `<chapter>/<heading>/<number>.<what it shows>.html`.

    Figures that an earlier page left there are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*/*/*.html"):
        if NAME.fullmatch(old.name):
            old.unlink()
    for name, figure in named(sections):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_figure(figure), encoding="utf-8")


def named(sections: Sequence[Section]) -> Iterator[tuple[str, Figure]]:
    """Yield each figure with the name of its file; figures of one heading are numbered."""
    for section in sections:
        about, numbers = section.title, Counter[str]()
        above = ""
        for block in _unfolded(section.blocks):
            if isinstance(block, Heading):
                above = block.text if block.level == 3 else above
                about = above if block.level == 3 else f"{above} {block.text}"
            elif isinstance(block, Figure):
                place = f"{_slug(section.title)}/{_slug(about)}"
                numbers[place] += 1
                yield f"{place}/{numbers[place]}.{_slug(re.split(r'[.:;]', block.shown)[0])}.html", block


def _unfolded(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Fold):
            yield from _unfolded(block.blocks)
        else:
            yield block


def _slug(text: str) -> str:
    """A text as a part of a path: letters and digits, other things as dashes."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (words if len(words) <= LONGEST else words[:LONGEST].rpartition("-")[0] or words[:LONGEST]) or "figure"
