"""The scripts and the style of pages that show a molecule by 3Dmol.js, and data for such scripts."""

import json
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from foldgraft.errors import FoldgraftError

FOLDER = Path(__file__).parent
SOURCE = "build/3Dmol-min.js of the npm package 3dmol (version 2.5.5)"
"""Where 3Dmol.js is to be had."""


def part(*names: str) -> Markup:
    """Files of this package, one after the other: `tools.js`, `molecule.js` or `viewer.css`."""
    return Markup("".join((FOLDER / name).read_text(encoding="utf-8") for name in names))


def read_viewer(path: Path | None) -> str:
    """The text of 3Dmol.js, safe within a script element; empty if there is no such file.

    Raises
    ------
    FoldgraftError
        if the file is no text.
    """
    if path is None or not path.is_file():
        return ""
    try:
        script = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FoldgraftError(f"--viewer: {path} is not the script 3Dmol.js; name {SOURCE}") from None
    return re.sub(r"</(script)", r"<\\/\1", script, flags=re.IGNORECASE)


def as_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))
