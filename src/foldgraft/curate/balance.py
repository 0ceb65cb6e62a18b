"""What became of the atoms of amino acids: every one of the first model is in a chain, or counted under a reason."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from foldgraft.curate.entry import Drop, Entry, Polymer, Strand
from foldgraft.errors import FoldgraftError
from foldgraft.records.files import REMAKE, intact, sealed
from foldgraft.records.text_tables import Rows

COLUMNS = ["fate", "atoms", "meaning"]

FATES = {
    "placed": "in the table of chains",
    "hydrogen": "hydrogens of chains",
    "not_of_residue": "atoms that the residue's parent does not have, or that are named twice",
    "alternate": "conformers that were not chosen",
    "zero_occupancy": "atoms without evidence",
    "no_coordinate": "atoms whose coordinates are no numbers, or beyond 9999 angstrom",
    "left_out": "residues without a place in the sequence supplied",
    "ligand": "free amino acids, of no chain",
}
"""Fates of an atom; those of a chain or an entry that is dropped count under its rule."""


class Balance:
    """Counts the atoms of one entry's amino acids."""

    def __init__(self, entry: Entry):
        self.entry = entry
        self.size = np.where(entry.amino, np.diff(entry.residues.start), 0)
        self.rest = self.size.copy()
        self.fates: Counter[str] = Counter()

    def kept(self, polymer: Polymer, fates: Counter[str]) -> None:
        """Count a chain that is kept, whose atoms have these fates."""
        self.fates.update(fates)
        self.rest[polymer.members] = 0

    def dropped(self, rule: str, residues: np.ndarray) -> None:
        """Count all atoms of the residues under a rule."""
        self.fates[rule] += int(self.rest[residues].sum())
        self.rest[residues] = 0

    def others(self, others: Iterable[tuple[Strand, Drop]]) -> None:
        """Count the strands that are no protein."""
        order = {strand.label_asym_id: at for at, strand in enumerate(self.entry.strands)}
        for strand, drop in others:
            self.dropped(drop.rule, np.flatnonzero(self.entry.residues.strand == order[strand.label_asym_id]))

    def total(self) -> Counter[str]:
        """All fates, with what is left as ligands; of zero counts none."""
        fates = self.fates.copy()
        fates["ligand"] += int(self.rest.sum())
        return +fates


def write_balance(path: Path, atoms: Mapping[str, int]) -> None:
    """Write how many atoms of amino acids had which fate; the rest of the fates are rules of the rejects."""
    with sealed(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        table = Rows(handle, COLUMNS)
        for fate in [*FATES, *sorted(atoms.keys() - FATES.keys())]:
            table.write([fate, atoms.get(fate, 0), FATES.get(fate, "dropped by this rule")])


def read_balance(path: Path) -> Counter[str]:
    """Read such a table.

    Raises
    ------
    FoldgraftError
        if the file is none.
    """
    try:
        with intact(path).open(newline="", encoding="utf-8") as handle:
            return Counter({row["fate"]: int(row["atoms"]) for row in csv.DictReader(handle)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FoldgraftError(f"{path}: cannot be read as a balance of atoms ({error}); {REMAKE}") from None


def balance_line(atoms: Mapping[str, int]) -> str:
    """The balance in a line of a log."""
    total = sum(atoms.values())
    parts = ", ".join(f"{fate} {count}" for fate, count in sorted(atoms.items(), key=lambda item: -item[1]))
    return f"{total} atoms of amino acids: {parts or 'none'}"
