"""A structure painted with a number per residue, for viewers that colour by B-factor."""

from pathlib import Path

import gemmi
import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import atomic

LEAST_IDENTITY = 0.9
"""Fraction of the aligned residues of a chain that must be those of the protein."""

SCALE = 100.0
"""B-factors have two digits behind the point in a PDB file, and scores lie between 0 and 1."""


def paint(structure: Path, output: Path, sequence: str, values: np.ndarray) -> list[str]:
    """Write a structure whose B-factors are the values of the residues, times `SCALE`; zero where there is none.

    Every chain that is the protein is painted, whatever of it was resolved; the format is that of the output's name.

    Parameters
    ----------
    structure, output : Path
        PDB or mmCIF, the first plain or gzip-compressed.
    sequence : str
    values : float array, shape (L,)
        NaN where not known.

    Returns
    -------
    list of str
        names of the chains painted.

    Raises
    ------
    FoldgraftError
        if it is no structure, no chain of it is the protein, or the output's name has another ending.
    """
    if output.suffix.lower() not in (".pdb", ".cif"):
        raise FoldgraftError(f"{output}: name a file that ends in .pdb or .cif")
    try:
        read = gemmi.read_structure(str(structure))
        read.setup_entities()
    except (OSError, RuntimeError, ValueError):
        raise FoldgraftError(f"{structure}: cannot be read as a structure; give a PDB or mmCIF file") from None
    painted = {}
    for model in read:
        for chain in model:
            for residue in chain:
                for atom in residue:
                    atom.b_iso = 0.0
            if _paint(chain, sequence, np.nan_to_num(values)):
                painted[chain.name] = True
    if not painted:
        raise FoldgraftError(
            f"{structure}: no chain of it is the protein of {len(sequence)} residues, to {LEAST_IDENTITY:.0%} of those "
            "resolved; give its own structure"
        )
    if output.suffix.lower() == ".pdb" and not -100 < SCALE * np.nanmin(values) <= SCALE * np.nanmax(values) < 1000:
        raise FoldgraftError(
            f"{output}: values times {SCALE:g} do not fit into a PDB file; name a file that ends in .cif"
        )
    with atomic(output) as temporary:
        if output.suffix.lower() == ".pdb":
            read.write_pdb(str(temporary))
        else:
            read.make_mmcif_document().write_file(str(temporary))
    return list(painted)


def _paint(chain: gemmi.Chain, sequence: str, values: np.ndarray) -> bool:
    """Paint a chain, if it is the protein."""
    polymer = chain.get_polymer()
    residues = list(polymer.first_conformer())
    if not residues:
        return False
    names = [gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA) or "UNK" for letter in sequence]
    found = gemmi.align_sequence_to_polymer(names, polymer, gemmi.PolymerType.PeptideL, gemmi.AlignmentScoring())
    if found.match_count < LEAST_IDENTITY * len(residues):
        return False
    ours = found.add_gaps(sequence, 1)
    theirs = found.add_gaps("x" * len(residues), 2)
    place = at = 0
    for left, right in zip(ours, theirs, strict=True):
        if left != "-" and right != "-":
            for atom in residues[at]:
                atom.b_iso = SCALE * float(values[place])
        place, at = place + (left != "-"), at + (right != "-")
    return True
