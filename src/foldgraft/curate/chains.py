"""From an entry to its protein chains as rows of `foldgraft.records.chains`."""

from collections.abc import Iterator

import numpy as np

from foldgraft.curate.conformers import observed, one_conformer
from foldgraft.curate.entry import Atoms, Entry, Polymer, text
from foldgraft.curate.letters import LETTER_ORDER, atom_places, letter
from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import Chain
from foldgraft.records.files import checked_id, sequence_sha256
from foldgraft.residues import ATOM_INDEX, ATOMS

CA = ATOM_INDEX["CA"]


def chain_id(entry: str, polymer: Polymer) -> str:
    """`<entry>_<label_asym_id>`: the name of a chain in every table."""
    return f"{entry}_{polymer.label_asym_id}"


def protein_chains(name: str, entry: Entry, source: str) -> Iterator[Chain | FoldgraftError]:
    """Yield each declared protein chain of an entry; one whose name cannot serve as an id comes as the error."""
    seen = observed(entry.atoms)
    by_asym = _members(entry.atoms.asym)
    for polymer in entry.polymers:
        members = by_asym.get(polymer.label_asym_id.encode("latin-1", "replace"), np.empty(0, dtype=np.int64))
        try:
            checked_id(chain_id(name, polymer), "chain")
        except FoldgraftError as error:
            yield error
            continue
        yield _chain(name, entry, polymer, entry.atoms.take(members[seen[members]]), source)


def _members(asym: np.ndarray) -> dict[bytes, np.ndarray]:
    """Indices of the atoms of each chain, in file order."""
    names, code = np.unique(asym, return_inverse=True)
    order = np.argsort(code, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(code, minlength=len(names)))[:-1])
    return dict(zip(names.tolist(), parts, strict=True)) if len(names) else {}


def _chain(name: str, entry: Entry, polymer: Polymer, atoms: Atoms, source: str) -> Chain:
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
    numbers = np.full(length, "", dtype=object)
    place = atom_places(atoms.name, letters[where])
    spots = np.flatnonzero(place >= 0)[::-1]  # backwards, so that of atoms named twice the first stays
    coordinates[where[spots], place[spots]] = atoms.position[spots]
    alpha = spots[place[spots] == CA]
    b_factor[where[alpha]] = atoms.b_factor[alpha]
    numbers[where[alpha]] = np.char.add(atoms.auth_number[alpha], atoms.insertion[alpha])

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
        auth_seq_id=[text(n) if n else "" for n in numbers],
        coordinates=coordinates,
        b_factor=b_factor,
        method=entry.header.method,
        resolution=entry.header.resolution,
        released=entry.header.released,
        uniprot=polymer.uniprot,
        organism=polymer.organism,
        source=source,
    )
