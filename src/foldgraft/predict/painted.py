"""A structure painted with a number per residue, for viewers that colour by B-factor."""

from pathlib import Path

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.predict.matched import Matched
from foldgraft.records.files import atomic

SCALE = 100.0
"""B-factors have two digits behind the point in a PDB file, and scores lie between 0 and 1."""


def paint(matched: Matched, output: Path, values: np.ndarray) -> list[str]:
    """Write a structure as `painted` gives it.

    Parameters
    ----------
    matched : Matched
    output : Path
    values : float array, shape (L,)

    Returns
    -------
    list of str
        names of the chains painted.

    Raises
    ------
    FoldgraftError
        as of `painted`.
    """
    text = painted(matched, output, values)
    with atomic(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return list(dict.fromkeys(chain.name for chain in matched.chains))


def painted(matched: Matched, output: Path, values: np.ndarray) -> str:
    """The text of a structure whose B-factors are the values of the residues, times `SCALE`; zero where there is none.

    Every chain that is the protein is painted, whatever of it was resolved; the format is that of the output's name.

    Parameters
    ----------
    matched : Matched
    output : Path
        where it is to be written.
    values : float array, shape (L,)
        NaN where not known.

    Returns
    -------
    str

    Raises
    ------
    FoldgraftError
        if the output's name has another ending, or a PDB file cannot hold the values or the structure.
    """
    ending = output.suffix.lower()
    if ending not in (".pdb", ".cif"):
        raise FoldgraftError(f"{output}: name a file that ends in .pdb or .cif")
    if ending == ".pdb" and not -100 < SCALE * np.nanmin(values) <= SCALE * np.nanmax(values) < 1000:
        raise FoldgraftError(
            f"{output}: values times {SCALE:g} do not fit into a PDB file; name a file that ends in .cif"
        )
    for model in matched.structure:
        for site in model.all():
            site.atom.b_iso = 0.0
    known = np.nan_to_num(values)
    for chain in matched.chains:
        for place, residue in chain.residues:
            for atom in residue:
                atom.b_iso = SCALE * float(known[place])
    if ending == ".cif":
        return matched.structure.make_mmcif_document().as_string()
    try:
        return matched.structure.make_pdb_string()
    except RuntimeError as error:  # the name of a chain is longer than two letters
        raise FoldgraftError(
            f"{output}: the structure does not fit into a PDB file ({error}); name a file that ends in .cif"
        ) from None
