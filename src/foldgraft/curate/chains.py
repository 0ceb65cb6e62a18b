"""From an entry to its protein chains as rows of `foldgraft.records.chains`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from foldgraft.curate.atom_site import numbers
from foldgraft.curate.conformers import near, occupied, one_conformer
from foldgraft.curate.entry import Atoms, Entry, Polymer
from foldgraft.curate.predicted import PREDICTED, scale
from foldgraft.curate.residue_names import COLUMNS, HYDROGEN, LETTER_ORDER, letter
from foldgraft.curate.uniprot import completed, fits
from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import Chain
from foldgraft.records.files import checked_id, sequence_sha256
from foldgraft.records.sifts import Segment
from foldgraft.residues import ATOM_INDEX, ATOMS

CA = ATOM_INDEX["CA"]
CODES = np.zeros(128, dtype=np.int64)
CODES[[ord(one) for one in LETTER_ORDER]] = np.arange(len(LETTER_ORDER))

UNRESOLVED = {
    "absent": "the model has no atom of the chain",
    "zero_occupancy": "all CA of the chain have an occupancy of zero",
    "no_coordinate": "the coordinates of all CA of the chain are no numbers, or beyond 9999 angstrom",
    "no_ca": "no residue of the chain has a CA",
}
"""Why a chain may have no resolved residue."""


class Built(NamedTuple):
    """A chain, and what became of its atoms."""

    chain: Chain
    atoms: Counter[str]  # how many atoms of amino acids there are by fate, see `foldgraft.curate.balance`
    unresolved: str  # a key of UNRESOLVED if no residue is resolved, else empty


def chain_id(entry: str, polymer: Polymer) -> str:
    """`<entry>_<label_asym_id>`: the name of a chain in every table."""
    return f"{entry}_{polymer.strand.label_asym_id}"


def protein_chains(
    name: str, entry: Entry, source: str, sifts: Mapping[tuple[str, str], Sequence[Segment]] = MappingProxyType({})
) -> Iterator[Built | FoldgraftError]:
    """Yield each protein chain of an entry; one whose name cannot serve as an id comes as the error.

    Segments of UniProt entries are those of `sifts`, by (entry, auth_asym_id), if they fit the chain, else the file's.
    Of a chain without SEQRES only their author numbers hold, as their label numbers count along the archive's SEQRES.
    """
    builder = _Builder(name, entry, source)
    for polymer in entry.polymers:
        try:
            checked_id(chain_id(name, polymer), "chain")
        except FoldgraftError as error:
            yield error
            continue
        segments = sifts.get((name.lower(), polymer.strand.auth_asym_id), ())
        if not polymer.declared or polymer.extended:
            segments = [segment._replace(label_start=None, label_end=None) for segment in segments]
        yield builder.build(polymer, segments)


class _Builder:
    """Builds the chains of one entry."""

    def __init__(self, name: str, entry: Entry, source: str):
        self.name, self.entry, self.source = name, entry, source
        self.near, self.occupied = near(entry.atoms), occupied(entry.atoms)
        self.confidence = scale(entry.atoms) if entry.header.method == PREDICTED else None
        self.known = {one: letter(one, entry.parents) for one in set(entry.residues.name)}
        self.alternate = bool((entry.atoms.altloc != b"").any())

    def build(self, polymer: Polymer, segments: Sequence[Segment]) -> Built:
        """The chain of a polymer; the segments are taken if they fit it, else those of the file."""
        atoms, where, fates = self._chosen(polymer)
        sequence = "".join(self._letters(polymer, atoms, where if polymer.shares_positions else where[:0]))
        coordinates, b_factor = self._arrays(sequence, atoms, where, fates)
        resolved, header = np.isfinite(coordinates[:, CA, 0]), self.entry.header
        author = self._author_numbers(polymer)
        if not segments or not all(fits(segment, polymer.numbers, author) for segment in segments):
            segments = polymer.segments
        chain = Chain(
            id=chain_id(self.name, polymer),
            entry=self.name,
            label_asym_id=polymer.strand.label_asym_id,
            auth_asym_id=polymer.strand.auth_asym_id or None,
            entity=polymer.strand.entity or None,
            sequence=sequence,
            sequence_sha256=sequence_sha256(sequence),
            resolved=resolved,
            label_seq_id=polymer.numbers.astype(np.int32),
            auth_seq_id=author,
            coordinates=coordinates,
            b_factor=b_factor,
            method=header.method,
            resolution=header.resolution,
            released=header.released,
            uniprot=",".join(dict.fromkeys(segment.accession for segment in segments)) or polymer.uniprot,
            organism=polymer.organism,
            source=self.source,
            r_free=header.r_free,
            revised=header.revised,
            models=header.models,
            uniprot_segments=completed(segments, polymer.numbers, author),
        )
        return Built(chain, fates, "" if resolved.any() else self._unresolved(polymer))

    def _chosen(self, polymer: Polymer) -> tuple[Atoms, np.ndarray, Counter[str]]:
        """The atoms of one conformer of the chain, their positions in it, and how many others there are by fate."""
        atoms, where, part = self._atoms(polymer)
        seen = self.near[part] & self.occupied[part] & (where >= 0)
        fates: Counter[str] = Counter()
        if not seen.all():
            amino = self.entry.amino[atoms.residue] & (where >= 0)
            fates["no_coordinate"] = int(np.count_nonzero(amino & ~self.near[part]))
            fates["zero_occupancy"] = int(np.count_nonzero(amino & self.near[part] & ~self.occupied[part]))
            atoms, where = atoms.take(seen), where[seen]
        if len(where) and (self.alternate or polymer.shares_positions):
            kept = one_conformer(atoms, where, self.entry.residues.name, polymer.monomers)
            fates["alternate"] = int(np.count_nonzero(~kept & self.entry.amino[atoms.residue]))
            atoms, where = atoms.take(kept), where[kept]
        return atoms, where, fates

    def _arrays(
        self, sequence: str, atoms: Atoms, where: np.ndarray, fates: Counter[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (L, atoms, 3) and B-factors (L,) of the residues; adds to `fates` what became of the atoms."""
        length, codes = len(sequence), CODES[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]
        coordinates = np.full((length, len(ATOMS), 3), np.nan, dtype=np.float32)
        b_factor = np.full(length, np.nan, dtype=np.float32)
        column = COLUMNS[codes[where], atoms.kind]
        spots = np.flatnonzero(column >= 0)[::-1]  # backwards, so that of atoms named twice the first stays
        coordinates[where[spots], column[spots]] = atoms.coordinates[spots]
        alpha = spots[column[spots] == CA]
        b_factor[where[alpha]] = numbers(atoms.b_factor[alpha])  # of the few that are needed
        if self.confidence and self.confidence.scale:
            b_factor *= self.confidence.scale
        amino = self.entry.amino[atoms.residue]
        if amino.all():
            fates["placed"] = int(np.count_nonzero(np.isfinite(coordinates[:, :, 0])))
        else:  # as where a cap of another kind is part of SEQRES
            residues = spots[amino[spots]]
            fates["placed"] = len(np.unique(where[residues] * len(ATOMS) + column[residues]))
        fates["hydrogen"] = int(np.count_nonzero(amino & (atoms.kind == HYDROGEN)))
        fates["not_of_residue"] = int(np.count_nonzero(amino)) - fates["placed"] - fates["hydrogen"]
        return coordinates, b_factor

    def _atoms(self, polymer: Polymer) -> tuple[Atoms, np.ndarray, slice]:
        """The atoms of the part of the file that holds the chain, their position in the chain or -1, and that part."""
        residues = self.entry.residues
        if not len(polymer.members):
            return self.entry.atoms.take(slice(0, 0)), np.empty(0, dtype=np.int64), slice(0, 0)
        low, high = int(polymer.members.min()), int(polymer.members.max())
        position = np.full(high - low + 1, -1, dtype=np.int64)
        position[polymer.members - low] = polymer.positions
        part = slice(int(residues.start[low]), int(residues.start[high + 1]))
        atoms = self.entry.atoms.take(part)
        return atoms, position[atoms.residue - low], part

    def _letters(self, polymer: Polymer, atoms: Atoms, where: np.ndarray) -> list[str]:
        """The letters of the chain: of SEQRES, but where the model holds another amino acid, of that."""
        known, names = self.known, self.entry.residues.name
        letters = [known[name] if name in known else letter(name, self.entry.parents) for name in polymer.monomers]
        pairs = zip(polymer.positions.tolist(), polymer.members.tolist(), strict=True)
        for position, member in pairs:
            if names[member] != polymer.monomers[position] and known[names[member]] != "X":
                letters[position] = known[names[member]]
        for position, residue in dict(zip(where.tolist(), atoms.residue[: len(where)].tolist(), strict=True)).items():
            if known[names[residue]] != "X":  # several residues at a position: the one kept
                letters[position] = known[names[residue]]
        return letters

    def _author_numbers(self, polymer: Polymer) -> list[str]:
        """Author number with insertion code: that of the model's residue, else of the file's table of the polymer."""
        numbers = list(polymer.author) or [""] * len(polymer.monomers)
        author = self.entry.residues.author
        for position, member in zip(polymer.positions.tolist()[::-1], polymer.members.tolist()[::-1], strict=True):
            numbers[position] = author[member] or numbers[position]
        return numbers

    def _unresolved(self, polymer: Polymer) -> str:
        atoms, where, _ = self._atoms(polymer)
        placed = where >= 0
        alpha = placed & (atoms.kind == CA)
        if not placed.any():
            return "absent"
        if not alpha.any():
            return "no_ca"
        return "zero_occupancy" if near(atoms.take(alpha)).any() else "no_coordinate"
