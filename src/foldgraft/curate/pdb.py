"""Legacy PDB files to an entry, by way of gemmi, which also aligns the model to SEQRES where there is one.

A chain that SEQRES leaves out is read off its coordinates; one that SEQRES names and that has no atom, or
ligands alone, is unresolved.

A blank chain name becomes A, or the first free letter where another chain is called A. Atom records whose
coordinates are no numbers are left out before parsing, since a fixed-column parser would read them as zero.
"""

import re
from dataclasses import replace
from datetime import datetime
from string import ascii_uppercase

import gemmi
import numpy as np

from foldgraft.curate.entry import Atoms, Entry, Header, Polymer, UnreadableError, one_line, text
from foldgraft.curate.no_seqres import polymers_from_atoms
from foldgraft.curate.residue_names import is_amino_acid, only_parents
from foldgraft.curate.uniprot import dbref_segments, pdb_organisms

ATOM_RECORD = (b"ATOM  ", b"HETATM")
MODEL_RECORD = re.compile(rb"^MODEL ", re.MULTILINE)
FREE_R = re.compile(rb"^REMARK   3 +FREE R VALUE *(?:\(NO CUTOFF\))? *: *(0?\.[0-9]+)", re.MULTILINE)
NUMBER = re.compile(rb" *[+-]?(?:\d+\.?\d*|\.\d+) *")


def read_pdb(content: bytes) -> Entry:
    """Read the first model of a PDB file.

    Raises
    ------
    UnreadableError
        if no atom record holds coordinates, or a record is malformed.
    """
    lines = first_model(content)
    if not any(line.startswith(ATOM_RECORD) for line in lines):
        raise UnreadableError("no_atoms", "no atom record holds coordinates")
    try:
        structure = gemmi.read_pdb_string(b"\n".join(lines) + b"\n")
    except (ValueError, RuntimeError) as error:
        raise UnreadableError("syntax", "the file is no valid PDB file", one_line(error)) from None
    structure.setup_entities()
    structure.assign_label_seq_id()
    declared = _seqres(lines)
    names = _names({chain.name for chain in structure[0]} | declared.keys())
    atoms, sequences = _atoms(structure, names)
    for chain, monomers in declared.items():
        sequences.setdefault(names[chain], (chain, monomers))
    parents = only_parents((residue.res_id.name, residue.parent_comp_id) for residue in structure.mod_residues)
    polymers, others = [], []
    for asym, (auth, monomers) in sequences.items():
        if sum(map(is_amino_acid, monomers)) * 2 > len(monomers):
            polymers.append(_declared(asym, auth, monomers))
        else:
            others.append((asym, f"polymer of {', '.join(sorted(set(monomers))[:5])}"))
    if not sequences or (atoms.number == 0).any():
        atoms, read_off = polymers_from_atoms(atoms, parents)
        polymers += read_off
    header = _header(structure, lines, len(MODEL_RECORD.findall(content)))
    return Entry(header, _described(polymers, lines), atoms, parents, others)


def first_model(content: bytes) -> list[bytes]:
    """The lines up to the end of the first model, without atom records whose coordinates are no numbers."""
    lines = []
    for line in content.splitlines():
        if line.startswith(ATOM_RECORD):
            if not all(NUMBER.fullmatch(line[a : a + 8]) for a in (30, 38, 46)):
                continue
        elif line.startswith(b"ENDMDL"):
            break
        lines.append(line)
    return lines


def _names(taken: set[str]) -> dict[str, str]:
    free = next((letter for letter in ascii_uppercase if letter not in taken), "A")
    return {name: name or free for name in taken}


def _atoms(structure: gemmi.Structure, names: dict[str, str]) -> tuple[Atoms, dict[str, tuple[str, list[str]]]]:
    """Atoms, their numbers those of SEQRES where a chain has it, else 0; and the SEQRES of each chain by its name."""
    flat = gemmi.FlatStructure(structure)
    sequences: dict[str, tuple[str, list[str]]] = {}
    asym, auth_asym, number, residue, auth_number, insertion, count = [], [], [], [], [], [], []
    for chain in structure[0]:
        entity = structure.get_entity_of(chain.get_polymer())
        monomers = [gemmi.Entity.first_mon(name) for name in entity.full_sequence] if entity else []
        if monomers:
            sequences.setdefault(names[chain.name], (chain.name, monomers))
        for item in chain:
            in_polymer = item.entity_type == gemmi.EntityType.Polymer
            asym.append(names[chain.name])
            auth_asym.append(chain.name)
            number.append((item.label_seq or -1 if monomers else 0) if in_polymer else -1)
            residue.append(item.name)
            auth_number.append(str(item.seqid.num))
            insertion.append(item.seqid.icode.strip())
            count.append(len(item))

    def spread(values: list) -> np.ndarray:
        column = np.array([value.encode("latin-1", "replace") if isinstance(value, str) else value for value in values])
        return np.repeat(column, count)

    total = sum(count)
    atoms = Atoms(
        asym=spread(asym),
        number=spread(number).astype(np.int64),
        residue=spread(residue),
        name=np.ascontiguousarray(flat.atom_names[:total]).view("S8").ravel(),
        altloc=np.ascontiguousarray(flat.altlocs[:total]).view("S1").ravel(),
        occupancy=np.asarray(flat.occ[:total], dtype=np.float64),
        position=np.asarray(flat.pos[:total], dtype=np.float64),
        b_factor=np.asarray(flat.b_iso[:total], dtype=np.float64),
        auth_number=spread(auth_number),
        insertion=spread(insertion),
        auth_asym=spread(auth_asym),
        entity=np.zeros(total, dtype="S1"),
    )
    return atoms, sequences


def _declared(asym: str, auth: str, monomers: list[str]) -> Polymer:
    return Polymer(asym, auth or None, None, monomers, np.arange(1, len(monomers) + 1))


def _seqres(lines: list[bytes]) -> dict[str, list[str]]:
    """SEQRES by chain name."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(b"SEQRES") and (monomers := text(line[19:70]).split()):
            found.setdefault(text(line[10:12]).strip(), []).extend(monomers)
    return found


def _header(structure: gemmi.Structure, lines: list[bytes], models: int) -> Header:
    method = structure.info["_exptl.method"] if "_exptl.method" in structure.info else ""  # noqa: SIM401
    dated = [(text(line[7:10]).strip(), _date(line[13:22])) for line in lines if line.startswith(b"REVDAT")]
    free = FREE_R.search(b"\n".join(line for line in lines if line.startswith(b"REMARK   3")))
    return Header(
        method=method.strip().upper() or None,
        resolution=structure.resolution if 0 < structure.resolution < 1000 else None,
        released=next((date for number, date in dated if number == "1" and date), None),
        revised=max((date for _, date in dated if date), default=None),
        r_free=(float(free[1]) or None) if free else None,
        models=max(models, 1),
    )


def _date(field: bytes) -> str | None:
    """ISO date of a `01-JAN-90`; years from 70 on are of the last century, as the archive began in 1971."""
    try:
        day = datetime.strptime(text(field).strip().title(), "%d-%b-%y")
    except ValueError:
        return None
    century = 1900 if day.year % 100 >= 70 else 2000
    return day.replace(year=century + day.year % 100).date().isoformat()


def _described(polymers: list[Polymer], lines: list[bytes]) -> list[Polymer]:
    """The chains with their organism and the UniProt segments of DBREF."""
    segments, organism = dbref_segments(lines), pdb_organisms(lines)
    return [
        replace(
            polymer,
            segments=segments.get(polymer.auth_asym_id or " ", ()),
            organism=organism.get(polymer.auth_asym_id or " ", organism.get("")),
        )
        for polymer in polymers
    ]
