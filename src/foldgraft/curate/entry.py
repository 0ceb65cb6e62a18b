"""What a reader makes of a structure file, whatever its format: a header, residues with their atoms, and chains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from foldgraft.records.sifts import Segment

MISSING = -(2**31)
"""Stands for a number that the file does not give."""


class UnreadableError(Exception):
    """A structure file that yields nothing; `rule` is a word for the table of rejects, the text says why."""

    def __init__(self, rule: str, reason: str, value: str = ""):
        super().__init__(reason)
        self.rule, self.reason, self.value = rule, reason, value


class Drop(NamedTuple):
    """Why something was dropped; the columns of `foldgraft.records.rejects` without the id."""

    rule: str
    value: str
    reason: str


@dataclass(frozen=True)
class Header:
    """What the file says of the whole entry; None where it says nothing."""

    method: str | None = None  # upper case; PREDICTED for models
    resolution: float | None = None  # angstrom
    released: str | None = None  # ISO date
    revised: str | None = None  # ISO date of the last revision
    r_free: float | None = None
    models: int = 1


class Strand(NamedTuple):
    """The names of one molecule of the file."""

    label_asym_id: str
    auth_asym_id: str
    entity: str = ""


@dataclass(frozen=True)
class Atoms:
    """The atoms of the first model as columns of length A, residue after residue in the order of the file."""

    residue: np.ndarray  # (A,) int64, index of the residue
    kind: np.ndarray  # (A,) int64, index of `residue_names.KINDS`; OTHER or HYDROGEN
    altloc: np.ndarray  # (A,) S, empty where there is one conformer only
    occupancy: np.ndarray  # (A,) float64, 1 where the file leaves it blank
    coordinates: np.ndarray  # (A, 3) float64, angstrom; NaN where the file has no number
    b_factor: np.ndarray  # (A,) S, as the file writes it

    def __len__(self) -> int:
        return len(self.residue)

    def take(self, which: np.ndarray | slice) -> "Atoms":
        """The atoms that a mask, a slice or an index array picks."""
        return Atoms(**{name: column[which] for name, column in vars(self).items()})


@dataclass(frozen=True)
class Residues:
    """Runs of atoms of one residue: as many as the file has of them, waters and ligands among them, in its order.

    A residue may take several runs, as where its conformers have different names or stand at the end of the file.
    """

    strand: np.ndarray  # (R,) int64, index of the strand
    name: list[str]  # (R,) as the file writes it, without blanks
    number: np.ndarray  # (R,) int64, label_seq_id, or MISSING
    author: list[str]  # (R,) author number with insertion code, empty where the file has none
    author_number: np.ndarray  # (R,) int64, the author number alone, or MISSING
    hetero: np.ndarray  # (R,) bool, HETATM
    late: np.ndarray  # (R,) bool, behind the TER of its strand
    start: np.ndarray  # (R + 1,) int64, where the atoms of each residue start, and A

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True)
class Declared:
    """What a file declares of a polymer: its kind and its sequence."""

    monomers: list[str]  # (L,) three-letter names of SEQRES
    numbers: np.ndarray  # (L,) int64, ascending label numbers
    kind: str = ""  # as `_entity_poly.type`; empty where the file does not say
    uniprot: str | None = None
    organism: str | None = None
    segments: Sequence[Segment] = ()
    author: Sequence[str] = ()  # (L,) author numbers of the file's table of the polymer, resolved or not; or none


@dataclass(frozen=True)
class Polymer:
    """One protein chain: its monomers, and which residues of the file are which of them."""

    strand: Strand
    monomers: list[str]  # (L,) three-letter names; "" for a residue known only by a gap
    numbers: np.ndarray  # (L,) int64, ascending label numbers
    members: np.ndarray  # (K,) int64, residues of the file
    positions: np.ndarray  # (K,) int64, from 0, the index of each along the monomers
    declared: bool = True  # False if the file has no SEQRES of it
    extended: bool = False  # True if the model holds residues that SEQRES lacks, so that its numbers are not SEQRES's
    uniprot: str | None = None
    organism: str | None = None
    segments: Sequence[Segment] = ()
    author: Sequence[str] = ()

    @property
    def shares_positions(self) -> bool:
        """Whether several residues may stand at one position; surely not where the positions ascend."""
        return bool((self.positions[1:] <= self.positions[:-1]).any())


@dataclass(frozen=True)
class Entry:
    """One structure file, read."""

    header: Header
    atoms: Atoms
    residues: Residues
    strands: list[Strand]
    amino: np.ndarray  # (R,) bool, amino acids by name or by backbone
    polymers: list[Polymer]
    others: Sequence[tuple[Strand, Drop]] = ()  # the chains that are no protein, or cannot be made one, and why
    notes: Sequence[Drop] = ()  # what else of the file is left out
    parents: Mapping[str, str] = field(default_factory=dict)  # modified residue: parent, by the file's own tables


def text(value: bytes) -> str:
    """A text column's value as str."""
    return value.decode("latin-1")


def one_line(error: Exception) -> str:
    """A parser's message, fit for a cell of a table."""
    return " ".join(str(error).split())[:300]
