"""What a reader makes of a structure file, whatever its format: a header, protein chains, and their atoms."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from foldgraft.records.sifts import Segment

NOTHING = np.empty(0, dtype=np.int64)


class UnreadableError(Exception):
    """A structure file that yields nothing; `rule` is a word for the table of rejects, the text says why."""

    def __init__(self, rule: str, reason: str, value: str = ""):
        super().__init__(reason)
        self.rule, self.reason, self.value = rule, reason, value


@dataclass(frozen=True)
class Header:
    """What the file says of the whole entry; None where it says nothing."""

    method: str | None = None  # upper case; PREDICTED for models
    resolution: float | None = None  # angstrom
    released: str | None = None  # ISO date
    revised: str | None = None  # ISO date of the last revision
    r_free: float | None = None
    models: int = 1


@dataclass(frozen=True)
class Polymer:
    """One protein chain as declared: its monomers, and where in the chain each label number stands."""

    label_asym_id: str
    auth_asym_id: str | None
    entity: str | None
    monomers: list[str]  # (L,) three-letter names of SEQRES; "" for a residue known only by a gap
    numbers: np.ndarray  # (L,) int64, ascending label numbers
    uniprot: str | None = None
    organism: str | None = None
    segments: Sequence[Segment] = ()
    author: Sequence[str] = ()  # (L,) author numbers of the file's table of the polymer, resolved or not; or none
    declared: bool = True  # False if the file has no SEQRES of it


@dataclass(frozen=True)
class Atoms:
    """Atoms as columns of equal length; text columns hold bytes."""

    asym: np.ndarray  # (A,) S, label_asym_id
    number: np.ndarray  # (A,) int64, label_seq_id; -1 outside polymers
    residue: np.ndarray  # (A,) S, three-letter name
    name: np.ndarray  # (A,) S
    altloc: np.ndarray  # (A,) S, empty where there is one conformer only
    occupancy: np.ndarray  # (A,) float64
    position: np.ndarray  # (A, 3) float64, angstrom
    b_factor: np.ndarray  # (A,) float64, or S as `atom_site.numbers` reads it
    auth_number: np.ndarray  # (A,) S, author residue number
    insertion: np.ndarray  # (A,) S, insertion code, empty where none
    auth_asym: np.ndarray  # (A,) S
    entity: np.ndarray  # (A,) S, empty where the file names none

    def __len__(self) -> int:
        return len(self.asym)

    def take(self, which: np.ndarray) -> "Atoms":
        """The atoms that a mask or an index array picks."""
        return Atoms(**{name: column[which] for name, column in vars(self).items()})

    def by_asym(self) -> dict[bytes, np.ndarray]:
        """Indices of the atoms of each chain, in file order; chains in the order of their first atoms."""
        edges = np.flatnonzero(self.asym[1:] != self.asym[:-1]) + 1
        bounds = [0, *edges.tolist(), len(self)]
        runs: dict[bytes, list[np.ndarray]] = {}
        for start, stop in pairwise(bounds):
            if start < stop:
                runs.setdefault(self.asym[start].item(), []).append(np.arange(start, stop))
        return {asym: parts[0] if len(parts) == 1 else np.concatenate(parts) for asym, parts in runs.items()}


@dataclass(frozen=True)
class Entry:
    """One structure file, read."""

    header: Header
    polymers: list[Polymer]
    atoms: Atoms
    parents: dict[str, str] = field(default_factory=dict)  # modified residue: parent, by the file's own tables
    others: Sequence[tuple[str, str]] = ()  # label_asym_id and kind of the polymers that are no protein


def text(value: bytes) -> str:
    """A text column's value as str."""
    return value.decode("latin-1")


def one_line(error: Exception) -> str:
    """A parser's message, fit for a cell of a table."""
    return " ".join(str(error).split())[:300]
