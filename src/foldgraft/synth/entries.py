"""Structure entries as mmCIF: what a chain looks like in an archive, quirks included."""

from dataclasses import dataclass

import gemmi
import numpy as np

from foldgraft.geometry import Array
from foldgraft.residues import ONE_TO_THREE
from foldgraft.synth.deposit import deposited, polymer
from foldgraft.synth.fold import Fold, vary
from foldgraft.synth.sidechains import pack

QUIRKS = ("plain", "unresolved", "altloc", "selenomethionine", "insertion", "ligand", "dimer", "nmr", "tag")
"""What is particular about an entry; they take turns."""

TAG = "GSHM"
MODELS = 3
INTERFACE = 3.2  # angstrom between the nearest atoms of a dimer's chains


@dataclass(frozen=True)
class Entry:
    """One entry to write: its name, its quirk, its sequence without a tag, and its backbone."""

    name: str
    quirk: str
    sequence: str
    fold: Fold

    @property
    def offset(self) -> int:
        """Residues of the deposited sequence before the fold begins."""
        return len(TAG) if self.quirk == "tag" else 0

    @property
    def names(self) -> list[str]:
        """The deposited sequence in three letters."""
        tag = TAG if self.quirk == "tag" else ""
        met = "MSE" if self.quirk == "selenomethionine" else "MET"
        return [met if letter == "M" else ONE_TO_THREE[letter] for letter in tag + self.sequence]


def quirk_of(entry: int) -> str:
    """The quirk of the entry with this number."""
    return QUIRKS[entry % len(QUIRKS)]


def suited(quirk: str, sequence: str) -> str:
    """The sequence with what its quirk needs: a methionine, in place of a residue in the middle if it has none."""
    if quirk == "selenomethionine" and "M" not in sequence:
        middle = len(sequence) // 2
        return sequence[:middle] + "M" + sequence[middle + 1 :]
    return sequence


def document(rng: np.random.Generator, entry: Entry) -> str:
    """The entry as mmCIF text."""
    structure = gemmi.Structure()
    structure.name = entry.name
    nmr = entry.quirk == "nmr"
    structure.info["_entry.id"] = entry.name.upper()
    structure.info["_struct.title"] = f"Synthetic protein {entry.name}"
    structure.info["_exptl.method"] = "SOLUTION NMR" if nmr else "X-RAY DIFFRACTION"
    first_number = int(rng.integers(2, 200))
    for number in range(1, MODELS + 1 if nmr else 2):
        structure.add_model(_model(rng, entry, number, first_number))
    chains = ["A", "B"] if entry.quirk == "dimer" else ["A"]
    structure.entities.append(polymer("1", gemmi.PolymerType.PeptideL, chains, entry.names))
    for number, (kind, subchain) in enumerate(_others(entry), start=2):
        entity = gemmi.Entity(str(number))
        entity.entity_type, entity.subchains = kind, [subchain]
        structure.entities.append(entity)
    resolution = None if nmr else round(float(rng.uniform(1.2, 2.9)), 2)
    return deposited(rng, structure, resolution)


def _others(entry: Entry) -> list[tuple[gemmi.EntityType, str]]:
    """Kind and subchain of each entity beside the polymer."""
    ligand = [(gemmi.EntityType.NonPolymer, "C")] if entry.quirk == "ligand" else []
    dry = entry.quirk in ("nmr", "dimer")
    return ligand + ([] if dry else [(gemmi.EntityType.Water, "D")])


def _model(rng: np.random.Generator, entry: Entry, number: int, first_number: int) -> gemmi.Model:
    """One model: the chain, its mate in a dimer, and what is bound to it."""
    fold = vary(rng, entry.fold, 40) if number > 1 else entry.fold
    packed = pack(rng, entry.sequence, fold.atoms)
    twin = pack(rng, entry.sequence, fold.atoms) if entry.quirk == "altloc" else packed
    centre = fold.atoms[:, 1].mean(0)
    packed, twin = ([{n: p - centre for n, p in residue.items()} for residue in each] for each in (packed, twin))
    model = gemmi.Model(number)
    chain = gemmi.Chain("H" if entry.quirk == "dimer" else "A")
    for residue in _residues(entry, packed, twin, first_number, "A"):
        chain.add_residue(residue)
    surface = np.concatenate([list(residue.values()) for residue in packed])
    bound = _bound(rng, entry, surface, first_number + len(entry.names) + 100)
    if entry.quirk == "dimer":
        model.add_chain(chain)
        chain = gemmi.Chain("L")
        axis = _mate_shift(surface)
        mate = [{n: p * (-1, -1, 1) + (axis, 0, 0) for n, p in residue.items()} for residue in packed]
        for residue in _residues(entry, mate, mate, first_number, "B"):
            chain.add_residue(residue)
    for residue in bound:
        chain.add_residue(residue)
    model.add_chain(chain)
    return model


def _mate_shift(surface: Array) -> float:
    """How far (angstrom, along x) a copy turned by half about z goes until the two are `INTERFACE` apart."""
    turned, step = surface * (-1.0, -1.0, 1.0), np.array([1.0, 0.0, 0.0])
    shift = 2.0 * float(np.abs(surface[:, 0]).max()) + INTERFACE
    while distances_between(surface, turned + (shift - 0.25) * step).min() > INTERFACE:
        shift -= 0.25
    return shift


def distances_between(one: Array, two: Array) -> Array:
    """All distances from one set of points (N, 3) to another (M, 3); shape (N, M)."""
    return np.linalg.norm(one[:, None] - two[None], axis=-1)


def _residues(entry: Entry, packed: list, twin: list, first_number: int, subchain: str) -> list[gemmi.Residue]:
    """The resolved residues of the polymer, numbered by label and by author."""
    quirk, layout = entry.quirk, entry.fold.layout
    middle = len(packed) // 2
    gap = _longest_loop(layout) if quirk == "unresolved" else range(0)
    residues = []
    for i, (positions, others) in enumerate(zip(packed, twin, strict=True)):
        if i in gap:
            continue
        residue = gemmi.Residue()
        residue.name = entry.names[entry.offset + i]
        residue.label_seq = entry.offset + i + 1
        residue.subchain, residue.entity_id, residue.entity_type = subchain, "1", gemmi.EntityType.Polymer
        residue.het_flag = "H" if residue.name == "MSE" else "A"
        inserted = quirk == "insertion" and i >= middle
        icode = "A" if quirk == "insertion" and i == middle else " "
        residue.seqid = gemmi.SeqId(first_number + entry.offset + i - inserted, icode)
        split = quirk == "altloc" and abs(i - middle) <= 2
        for atom, position in positions.items():
            moved = split and np.linalg.norm(position - others[atom]) > 0.1
            residue.add_atom(_atom(residue.name, atom, position, i, "A" if moved else "\0", 0.6 if moved else 1.0))
            if moved:
                residue.add_atom(_atom(residue.name, atom, others[atom], i, "B", 0.4))
        residues.append(residue)
    return residues


def _longest_loop(layout: str) -> range:
    """The longest loop that is not at an end; empty if there is none."""
    runs = [(end - start, start, end) for start, end in _runs(layout, "L") if start > 0 and end < len(layout)]
    return range(*max(runs)[1:]) if runs else range(0)


def _runs(layout: str, state: str) -> list[tuple[int, int]]:
    """Start and end of each run of a state."""
    flags = np.array([0, *(s == state for s in layout), 0])
    edges = np.flatnonzero(np.diff(flags)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _atom(residue: str, name: str, position: Array, index: int, altloc: str, occupancy: float) -> gemmi.Atom:
    atom = gemmi.Atom()
    atom.name = "SE" if (residue, name) == ("MSE", "SD") else name
    atom.element = gemmi.Element("Se" if atom.name == "SE" else name[0])
    atom.pos = gemmi.Position(*np.round(position, 3).tolist())
    atom.altloc, atom.occ, atom.b_iso = altloc, occupancy, 18.0 + (index * 7) % 23
    return atom


def _bound(rng: np.random.Generator, entry: Entry, surface: Array, number: int) -> list[gemmi.Residue]:
    """A sulfate where the quirk asks for it, and waters around a crystal structure."""
    others = _others(entry)
    if not others:
        return []
    residues = []
    if entry.quirk == "ligand":
        corners = 1.49 / np.sqrt(3.0) * np.array([(0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
        places = corners + _outside(rng, surface, 5.0)
        residues.append(_bound_residue("SO4", "C", "2", number, ["S", "O1", "O2", "O3", "O4"], places))
    entity = str(len(others) + 1)
    for i in range(int(rng.integers(4, 10))):
        place = _outside(rng, surface, 3.2)[None]
        residues.append(_bound_residue("HOH", "D", entity, number + 1 + i, ["O"], place))
    return residues


def _bound_residue(name: str, subchain: str, entity: str, number: int, atoms: list, points: Array) -> gemmi.Residue:
    residue = gemmi.Residue()
    residue.name, residue.subchain, residue.entity_id, residue.het_flag = name, subchain, entity, "H"
    residue.entity_type = gemmi.EntityType.Water if name == "HOH" else gemmi.EntityType.NonPolymer
    residue.seqid = gemmi.SeqId(number, " ")
    for i, (atom, xyz) in enumerate(zip(atoms, points, strict=True)):
        residue.add_atom(_atom(name, atom, xyz, i, "\0", 1.0))
    return residue


def _outside(rng: np.random.Generator, surface: Array, distance: float) -> Array:
    """A point at that distance (angstrom) beyond the outermost atom in a random direction."""
    direction = rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    outermost = surface[np.argmax(surface @ direction)]
    return outermost + distance * direction
