"""A structure of a protein, and where in it the protein is."""

from dataclasses import dataclass
from pathlib import Path

import gemmi

from foldgraft.errors import FoldgraftError

LEAST_IDENTITY = 0.9
"""Fraction of the aligned residues of a chain that must be those of the protein."""


@dataclass(frozen=True)
class Chain:
    """A chain that is the protein, whatever of it was resolved.

    Attributes
    ----------
    model : int
        number of its model, from 0.
    name : str
    residues : list of (int, gemmi.Residue)
        with their places in the protein, from 0.
    foreign : int
        its residues that are not of the protein.
    """

    model: int
    name: str
    residues: list[tuple[int, gemmi.Residue]]
    foreign: int


@dataclass(frozen=True)
class Matched:
    """A structure and its chains that are the protein."""

    path: Path
    structure: gemmi.Structure
    sequence: str
    chains: list[Chain]


def match(path: Path, sequence: str) -> Matched:
    """Read a structure, PDB or mmCIF, plain or gzip-compressed, and find a protein in it.

    Raises
    ------
    FoldgraftError
        if it is no structure, or no chain of it is the protein.
    """
    try:
        structure = gemmi.read_structure(str(path))
        structure.setup_entities()
    except (OSError, RuntimeError, ValueError):
        raise FoldgraftError(f"{path}: cannot be read as a structure; give a PDB or mmCIF file") from None
    chains = [
        found
        for number, model in enumerate(structure)
        for chain in model
        if (found := _chain(number, chain, sequence)) is not None
    ]
    if not chains:
        raise FoldgraftError(
            f"{path}: no chain of it is the protein of {len(sequence)} residues, to {LEAST_IDENTITY:.0%} of those "
            "resolved; give its own structure"
        )
    return Matched(path, structure, sequence, chains)


def _chain(model: int, chain: gemmi.Chain, sequence: str) -> Chain | None:
    """A chain, if it is the protein."""
    polymer = chain.get_polymer()
    residues = list(polymer.first_conformer())
    if not residues:
        return None
    names = [gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA) or "UNK" for letter in sequence]
    found = gemmi.align_sequence_to_polymer(names, polymer, gemmi.PolymerType.PeptideL, gemmi.AlignmentScoring())
    if found.match_count < LEAST_IDENTITY * len(residues):
        return None
    ours = found.add_gaps(sequence, 1)
    theirs = found.add_gaps("x" * len(residues), 2)
    placed = []
    place = at = 0
    for left, right in zip(ours, theirs, strict=True):
        if left != "-" and right != "-":
            placed.append((place, residues[at]))
        place, at = place + (left != "-"), at + (right != "-")
    return Chain(model, chain.name, placed, len(residues) - len(placed))
