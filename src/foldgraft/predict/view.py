"""A protein's structure as the script of a scan's page draws it: its backbone, coloured by what each residue adds."""

import re
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np
from markupsafe import Markup

from foldgraft.errors import FoldgraftError
from foldgraft.predict.matched import Chain, Matched
from foldgraft.viewer.backbone import BACKBONE, backbone_pdb
from foldgraft.viewer.parts import SOURCE, as_json, read_viewer

MOST = 8
"""Chains drawn, of those that are the protein."""
TOLD = 3
"""Residues named in the caption, of those that hold the score up most and of those that pull it down most."""
NEGATIVE, MIDDLE, POSITIVE = "#b2182b", "#d5d9de", "#0072B2"
"""Colours of the least value, of zero and of the greatest; the middle one is seen on white and on dark paper."""
UNKNOWN = "#7d8791"
"""Colour of a residue without a value."""
DEFINES = re.compile(r"window\.\$3Dmol ?=")
"""What a script of 3Dmol.js does and its other files do not, such as that of its modules or of its user interface."""


@dataclass(frozen=True)
class View:
    """A structure as a page shows it.

    Attributes
    ----------
    content : Markup
        JSON for the page's script.
    file : str
        name of the structure's file.
    chains : list of str
        those drawn.
    left_out : int
        further chains that are the protein, and all others of the model.
    models : int
        further models.
    resolved : int
        residues of the protein that are seen in a chain drawn.
    foreign : int
        residues of the chains drawn that are not of the protein.
    top : float
        value at the end of the scale.
    up, down : list of str
        residues of the greatest and of the least values.
    """

    content: Markup
    file: str
    chains: list[str]
    left_out: int
    models: int
    resolved: int
    foreign: int
    top: float
    up: list[str]
    down: list[str]


def viewer_script(path: Path | None) -> str:
    """The text of 3Dmol.js; empty where no file is given.

    Raises
    ------
    FoldgraftError
        if the file is another.
    """
    if path is None:
        return ""
    script = read_viewer(path)
    if not DEFINES.search(script):
        raise FoldgraftError(f"--viewer: {path} is not the script 3Dmol.js; name {SOURCE}")
    return script


def view(matched: Matched, values: np.ndarray) -> View:
    """The protein in the first model of its structure that has it.

    Parameters
    ----------
    matched : Matched
    values : float array, shape (L,)
        of each residue, NaN where not known.
    """
    first = matched.chains[0].model
    drawn = [chain for chain in matched.chains if chain.model == first][:MOST]
    points = [_points(chain, len(matched.sequence)) for chain in drawn]
    letters = [chr(ord("A") + number) for number in range(len(drawn))]
    top = max(float(np.nanmax(np.abs(values))), 1e-6)
    content = {
        "pdb": backbone_pdb(matched.sequence, dict(zip(letters, points, strict=True))),
        "chains": dict(zip(letters, (chain.name for chain in drawn), strict=True)),
        "sequence": matched.sequence,
        "values": [None if np.isnan(value) else round(float(value), 6) for value in values],
        "top": top,
        "colours": {"low": NEGATIVE, "middle": MIDDLE, "high": POSITIVE, "unknown": UNKNOWN},
    }
    named = [
        (float(value), f"{matched.sequence[at]}{at + 1} ({value:+.3f})".replace("-", "−"))
        for at, value in enumerate(values)
    ]
    ordered = sorted((one for one in named if np.isfinite(one[0])), reverse=True)
    return View(
        content=as_json(content),
        file=matched.path.name,
        chains=[chain.name for chain in drawn],
        left_out=len(matched.structure[first]) - len(drawn),
        models=len(matched.structure) - 1,
        resolved=int(np.isfinite(np.stack(points)[:, :, 1]).all(axis=2).any(axis=0).sum()),
        foreign=sum(chain.foreign for chain in drawn),
        top=top,
        up=[name for value, name in ordered[:TOLD] if value > 0],
        down=[name for value, name in ordered[::-1][:TOLD] if value < 0],
    )


def _points(chain: Chain, length: int) -> np.ndarray:
    """Coordinates of the backbone along the protein; shape (L, 4, 3), NaN where not resolved."""
    found = np.full((length, len(BACKBONE), 3), np.nan)
    for place, residue in reversed(chain.residues):  # of several conformers the first is shown
        for number, name in enumerate(BACKBONE):
            atom = _atom(residue, name)
            if atom is not None:
                found[place, number] = atom.pos.tolist()
    return found


def _atom(residue: gemmi.Residue, name: str) -> gemmi.Atom | None:
    return next((atom for atom in residue if atom.name == name), None)
