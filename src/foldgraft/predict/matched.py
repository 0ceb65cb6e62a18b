"""A structure of a protein, and where in it the protein is."""

from dataclasses import dataclass
from pathlib import Path

import gemmi

from foldgraft.errors import FoldgraftError

LEAST_IDENTITY = 0.9
"""Fraction of the residues of a chain that must be those of the protein, in stretches of at least `SHORTEST`."""
SHORTEST = 4
"""Residues of a stretch without a gap; single ones of any peptide are found somewhere in a long protein."""
UNNAMED = "without a name"
"""What a chain is called whose name is blank, as modelling programs leave it."""


@dataclass(frozen=True)
class Chain:
    """A chain that is the protein, whatever of it was resolved.

    Attributes
    ----------
    model : int
        number of its model, from 0.
    name : str
    residues : list of (int, gemmi.Residue)
        with their positions in the protein, from 0; where a position has several conformers of other residues, all.
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
        _ = [residue.name for model in structure for chain in model if chain.name for residue in chain]  # decodes them
    except (OSError, RuntimeError, ValueError, IndexError, TypeError):  # the last two: other JSON, a name not in UTF-8
        raise FoldgraftError(f"{path}: cannot be read as a structure; give a PDB or mmCIF file") from None
    chains = [
        found
        for number, model in enumerate(structure)
        for chain in model
        for polymer in _polymers(chain)
        if (found := _chain(number, chain.name, polymer, sequence)) is not None
    ]
    if not chains:
        raise FoldgraftError(
            f"{path}: no chain of it is the protein of {len(sequence)} residues, to {LEAST_IDENTITY:.0%} of those "
            "resolved; give its own structure"
        )
    return Matched(path, structure, sequence, chains)


def _polymers(chain: gemmi.Chain) -> list[list[gemmi.Residue]]:
    """The residues of each polymer, though a file labels a part of it otherwise, as the first residue of 2p0r."""
    by_entity: dict[str, list[gemmi.Residue]] = {}
    for residue in chain:
        if residue.entity_type == gemmi.EntityType.Polymer:
            by_entity.setdefault(residue.entity_id, []).append(residue)
    return list(by_entity.values())


def _chain(model: int, name: str, every: list[gemmi.Residue], sequence: str) -> Chain | None:
    """A chain, if it is the protein; `every` has the residues of all conformers."""
    copy = gemmi.Chain("A")
    for residue in every:
        copy.add_residue(residue).subchain = "A"
    polymer = copy.get_polymer()
    residues = list(polymer.first_conformer())
    names = [gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA) or "UNK" for letter in sequence]
    found = gemmi.align_sequence_to_polymer(names, polymer, gemmi.PolymerType.PeptideL, gemmi.AlignmentScoring())
    ours = found.add_gaps(sequence, 1)
    theirs = found.add_gaps("x" * len(residues), 2)
    stretches: list[list[tuple[int, gemmi.Residue]]] = [[]]
    position = at = 0
    for left, right in zip(ours, theirs, strict=True):
        if left != "-" and right != "-":
            stretches[-1].append((position, residues[at]))
        else:
            stretches.append([])
        position, at = position + (left != "-"), at + (right != "-")
    identical = sum(
        gemmi.find_tabulated_residue(residue.name).one_letter_code.upper() == sequence[position]
        for stretch in stretches
        if len(stretch) >= SHORTEST
        for position, residue in stretch
    )
    if identical < LEAST_IDENTITY * len(residues):
        return None
    positions = {str(residue.seqid): position for stretch in stretches for position, residue in stretch}
    placed = [(positions[key], residue) for residue in every if (key := str(residue.seqid)) in positions]
    return Chain(model, name or UNNAMED, placed, len(residues) - len(positions))
