"""Structure targets: `targets/<shard>.parquet`, one row per chain.

In the file a pair of residues takes about 0.45 bytes, compressed, and a residue 35 to 40 more; unpacked in memory a
pair takes 3 bytes and a residue 64. With `targets.orientations` a pair takes 1.7 bytes more in the file and 6 more in
memory. A chain of 300 residues is thus 32 kB, or 108 kB with orientations. benchmarks/benchmark_targets.py measures it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from foldgraft.errors import FoldgraftError
from foldgraft.records.tables import read_arrays, read_rows
from foldgraft.residues import PI_PERIODIC

TORSIONS = ("phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4")
MASKED = 255

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("distogram", pa.list_(pa.uint8()), nullable=False),
        pa.field("contacts", pa.binary(), nullable=False),
        pa.field("pair_mask", pa.binary(), nullable=False),
        pa.field("torsions", pa.list_(pa.float32()), nullable=False),
        pa.field("torsion_mask", pa.binary(), nullable=False),
        pa.field("ss3", pa.string(), nullable=False),
    ],
    metadata={
        "distogram": f"(L * (L - 1) / 2,) bin 0 to 63 of the CB-CB distance (CA for Gly), {MASKED} where masked; "
        "packed as foldgraft.records.pairs packs it; edges linspace(2.3125, 21.6875, 63) angstrom",
        "contacts": "(L * (L - 1) / 2,) bits, big-endian as numpy.packbits: CB-CB (CA for Gly) < 8.0 angstrom",
        "pair_mask": "(L * (L - 1) / 2,) bits: both residues have a resolved CB (CA for Gly)",
        "torsions": f"(L, {len(TORSIONS)}, 2) float32, sine and cosine of {', '.join(TORSIONS)}; 0 where masked; "
        "the same after half a turn: "
        + ", ".join(f"chi{number} of {letter}" for letter, number in sorted(PI_PERIODIC)),
        "torsion_mask": f"(L, {len(TORSIONS)}) bits: the angle is defined",
        "ss3": "(L,) H, E or C from hydrogen bonds (DSSP's H G I; E B; the rest), - where N, CA, C or O is unresolved",
    },
)


ORIENTATIONS = ("distance", "omega", "theta", "phi")
ORIENTATION_CLASSES = {"distance": 37, "omega": 25, "theta": 25, "phi": 13}
"""How many classes each has, class 0 included; a masked pair is of none."""

WITH_ORIENTATIONS = pa.schema(
    [*SCHEMA, *(pa.field(f"orientation_{name}", pa.list_(pa.uint8()), nullable=False) for name in ORIENTATIONS)],
    metadata={
        **{key.decode(): value.decode() for key, value in SCHEMA.metadata.items()},
        "orientation_distance": "(L * (L - 1) / 2,) class of the CB-CB distance, the CB of a glycine being virtual: "
        f"0 for 20 angstrom and more, else 1 to 36 in steps of 0.5 from 2, the first open below; {MASKED} where masked",
        "orientation_omega": "(L * (L - 1) / 2,) class of the torsion CA-CB-CB-CA: 0 for 20 angstrom and more, else "
        f"1 to 24 in steps of 15 degrees from -180; {MASKED} where masked",
        "orientation_theta": "(2, L * (L - 1) / 2) class of the torsion N-CA-CB-CB, as omega's; row 0 of i seeing j "
        "for i < j, row 1 of j seeing i",
        "orientation_phi": "(2, L * (L - 1) / 2) class of the angle CA-CB-CB, rows as theta's: 0 for 20 angstrom and "
        f"more, else 1 to 12 in steps of 15 degrees from 0; {MASKED} where masked",
    },
)
"""Of a shard made with `targets.orientations`."""


@dataclass(frozen=True)
class Orientations:
    """Classes of every pair of a chain (Yang et al. 2020); `MASKED` where there is no truth, 0 beyond 20 angstrom."""

    distance: np.ndarray  # (P,) uint8 of 37 classes, P = L * (L - 1) / 2
    omega: np.ndarray  # (P,) uint8 of 25
    theta: np.ndarray  # (2, P) uint8 of 25, row 0: i seeing j for i < j; row 1: j seeing i
    phi: np.ndarray  # (2, P) uint8 of 13, likewise


@dataclass(frozen=True)
class Targets:
    """The targets of one chain, unpacked."""

    id: str
    sequence: str
    sequence_sha256: str
    distogram: np.ndarray  # (P,) uint8, P = L * (L - 1) / 2
    contacts: np.ndarray  # (P,) bool
    pair_mask: np.ndarray  # (P,) bool
    torsions: np.ndarray  # (L, 7, 2) float32
    torsion_mask: np.ndarray  # (L, 7) bool
    ss3: str
    orientations: Orientations | None = None  # read by `read_orientations`

    def row(self) -> dict[str, object]:
        """The targets as a row of the table."""
        oriented = {}
        if self.orientations is not None:
            oriented = {f"orientation_{name}": getattr(self.orientations, name).ravel() for name in ORIENTATIONS}
        return oriented | {
            "id": self.id,
            "sequence": self.sequence,
            "sequence_sha256": self.sequence_sha256,
            "distogram": self.distogram.astype(np.uint8),
            "contacts": np.packbits(self.contacts).tobytes(),
            "pair_mask": np.packbits(self.pair_mask).tobytes(),
            "torsions": self.torsions.astype(np.float32).ravel(),
            "torsion_mask": np.packbits(self.torsion_mask).tobytes(),
            "ss3": self.ss3,
        }


def read_targets(path: Path) -> Iterator[Targets]:
    """Yield the targets of a shard, one chain at a time."""
    for row in read_arrays(path, SCHEMA):
        length = len(row["sequence"])
        pairs = length * (length - 1) // 2
        kinds = len(TORSIONS)
        yield Targets(
            id=row["id"],
            sequence=row["sequence"],
            sequence_sha256=row["sequence_sha256"],
            distogram=np.array(row["distogram"], dtype=np.uint8),
            contacts=_bits(row["contacts"], pairs),
            pair_mask=_bits(row["pair_mask"], pairs),
            torsions=np.array(row["torsions"], dtype=np.float32).reshape(length, kinds, 2),
            torsion_mask=_bits(row["torsion_mask"], length * kinds).reshape(length, kinds),
            ss3=row["ss3"],
        )


@dataclass(frozen=True)
class Contacts:
    """What contact prediction needs of a chain's targets."""

    id: str
    sequence: str
    sequence_sha256: str
    contacts: np.ndarray  # (P,) bool, P = L * (L - 1) / 2
    pair_mask: np.ndarray  # (P,) bool


def read_contacts(path: Path) -> Iterator[Contacts]:
    """Yield the contacts of a shard, one chain at a time, leaving distograms and torsions unread."""
    for row in read_rows(path, SCHEMA, ["id", "sequence", "sequence_sha256", "contacts", "pair_mask"]):
        length = len(row["sequence"])
        for kind in ("contacts", "pair_mask"):
            row[kind] = _bits(row[kind], length * (length - 1) // 2)
        yield Contacts(**row)


def read_orientations(path: Path) -> Iterator[tuple[str, Orientations]]:
    """Yield the id and the orientations of each chain of a shard, one chain at a time.

    Raises
    ------
    FoldgraftError
        if the shard was made without `targets.orientations`.
    """
    columns = [f"orientation_{name}" for name in ORIENTATIONS]
    try:
        for row in read_arrays(path, WITH_ORIENTATIONS, ["id", *columns]):
            distance, omega, theta, phi = (np.array(row[name], dtype=np.uint8) for name in columns)
            yield row["id"], Orientations(distance, omega, theta.reshape(2, -1), phi.reshape(2, -1))
    except FoldgraftError as error:
        hint = "; set targets.orientations: true and rerun the stage" if columns[0] in str(error) else ""
        raise FoldgraftError(f"{error}{hint}") from None


def _bits(packed: bytes, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count).astype(bool)
