"""From an entry to its protein chains as rows of `foldgraft.records.chains`."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from foldgraft.curate.atom_site import numbers
from foldgraft.curate.conformers import observed, one_conformer
from foldgraft.curate.entry import NOTHING, Atoms, Entry, Polymer, text
from foldgraft.curate.residue_names import LETTER_ORDER, atom_places, letter
from foldgraft.curate.uniprot import completed, fits
from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import Chain
from foldgraft.records.files import checked_id, sequence_sha256
from foldgraft.records.sifts import Segment
from foldgraft.residues import ATOM_INDEX, ATOMS

CA = ATOM_INDEX["CA"]


def chain_id(entry: str, polymer: Polymer) -> str:
    """`<entry>_<label_asym_id>`: the name of a chain in every table."""
    return f"{entry}_{polymer.label_asym_id}"


def protein_chains(
    name: str, entry: Entry, source: str, sifts: Mapping[tuple[str, str], Sequence[Segment]] = MappingProxyType({})
) -> Iterator[Chain | FoldgraftError]:
    """Yield each protein chain of an entry; one whose name cannot serve as an id comes as the error.

    Segments of UniProt entries are those of `sifts`, by (entry, auth_asym_id), if they fit the chain, else the file's.
    Of a chain without SEQRES only their author numbers hold, as their label numbers count along the archive's SEQRES.
    """
    seen = observed(entry.atoms)
    by_asym = entry.atoms.by_asym()
    for polymer in entry.polymers:
        members = by_asym.get(polymer.label_asym_id.encode("latin-1", "replace"), NOTHING)
        try:
            checked_id(chain_id(name, polymer), "chain")
        except FoldgraftError as error:
            yield error
            continue
        segments = sifts.get((name.lower(), polymer.auth_asym_id or ""), ())
        if not polymer.declared:
            segments = [segment._replace(label_start=None, label_end=None) for segment in segments]
        yield _chain(name, entry, polymer, entry.atoms.take(members[seen[members]]), source, segments)


def _chain(name: str, entry: Entry, polymer: Polymer, atoms: Atoms, source: str, segments: Sequence[Segment]) -> Chain:
    length = len(polymer.monomers)
    where = np.minimum(np.searchsorted(polymer.numbers, atoms.number), length - 1)
    declared = polymer.numbers[where] == atoms.number
    atoms, where = atoms.take(declared), where[declared]
    seqres = np.array([monomer.encode("latin-1", "replace") for monomer in polymer.monomers])
    kept = one_conformer(atoms, where, seqres) if len(where) else declared[:0]
    atoms, where = atoms.take(kept), where[kept]

    # SEQRES gives the residue at each position, except where the model holds another
    modelled = np.full(length, "", dtype=object)
    modelled[where] = atoms.residue
    residues = [text(m) if m else s for m, s in zip(modelled, polymer.monomers, strict=True)]
    known = {residue: letter(residue, entry.parents) for residue in set(residues)}
    letters = np.array([LETTER_ORDER.index(known[residue]) for residue in residues], dtype=np.uint8)

    coordinates = np.full((length, len(ATOMS), 3), np.nan, dtype=np.float32)
    b_factor = np.full(length, np.nan, dtype=np.float32)
    place = atom_places(atoms.name, letters[where])
    spots = np.flatnonzero(place >= 0)[::-1]  # backwards, so that of atoms named twice the first stays
    coordinates[where[spots], place[spots]] = atoms.position[spots]
    alpha = spots[place[spots] == CA]
    b_factor[where[alpha]] = numbers(atoms.b_factor[alpha])  # of the few that are needed
    author = _author_numbers(polymer, atoms, where)
    if not segments or not all(fits(segment, polymer.numbers, author) for segment in segments):
        segments = polymer.segments

    sequence = "".join(known[residue] for residue in residues)
    return Chain(
        id=chain_id(name, polymer),
        entry=name,
        label_asym_id=polymer.label_asym_id,
        auth_asym_id=polymer.auth_asym_id,
        entity=polymer.entity,
        sequence=sequence,
        sequence_sha256=sequence_sha256(sequence),
        resolved=np.isfinite(coordinates[:, CA, 0]),
        label_seq_id=polymer.numbers.astype(np.int32),
        auth_seq_id=author,
        coordinates=coordinates,
        b_factor=b_factor,
        method=entry.header.method,
        resolution=entry.header.resolution,
        released=entry.header.released,
        uniprot=",".join(dict.fromkeys(segment.accession for segment in segments)) or polymer.uniprot,
        organism=polymer.organism,
        source=source,
        r_free=entry.header.r_free,
        revised=entry.header.revised,
        models=entry.header.models,
        uniprot_segments=completed(segments, polymer.numbers, author),
    )


def _author_numbers(polymer: Polymer, atoms: Atoms, where: np.ndarray) -> list[str]:
    """Author number with insertion code of each residue: that of its first atom, else of the table of the polymer."""
    first = np.full(len(polymer.monomers), -1)
    first[where[::-1]] = np.arange(len(where))[::-1]
    numbers = list(polymer.author) or [""] * len(first)
    seen = np.flatnonzero(first >= 0)
    found = np.char.add(atoms.auth_number[first[seen]], atoms.insertion[first[seen]])
    for at, number in zip(seen.tolist(), found.tolist(), strict=True):
        numbers[at] = text(number)
    return numbers
