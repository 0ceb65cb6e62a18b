"""mmCIF to an entry: the atoms of the first model, the declared sequences, and what the file says of the entry.

Decisions
---------
- Chains are those of `label_asym_id`. Where it is null, or the same for several `auth_asym_id`, they are those of the
  authors, as in what PyMOL and ChimeraX write.
- SEQRES is `_entity_poly_seq`, else the one-letter code of `_entity_poly`, else `_pdbx_poly_seq_scheme`. A chain whose
  atoms name no entity has that of the polymer whose `pdbx_strand_id` names it.
- Of several data blocks with atoms the first is read; each other is a row of the rejects, rule `data_block`.
"""

import math
import re
from collections import Counter
from itertools import count

import gemmi
import numpy as np

from foldgraft.curate.atom_site import CUT, Columns, atom_columns, first_of, integers, numbers, split_atoms
from foldgraft.curate.cif import rows
from foldgraft.curate.declared import find_declared, strand_names
from foldgraft.curate.entry import (
    MISSING,
    Atoms,
    Drop,
    Entry,
    Header,
    Residues,
    Strand,
    UnreadableError,
    one_line,
    text,
)
from foldgraft.curate.model import Model
from foldgraft.curate.polymers import find_polymers
from foldgraft.curate.predicted import PREDICTED, stated
from foldgraft.curate.residue_names import kinds, only_parents

Columned = tuple[tuple[str, str], ...]
RESOLUTIONS: Columned = (
    ("refine", "ls_d_res_high"),
    ("em_3d_reconstruction", "resolution"),
    ("reflns", "d_resolution_high"),
)
R_FREE: Columned = (("refine", "ls_R_factor_R_free"),)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WHOLE = re.compile(r"-?[0-9]{1,9}")
POSITION = ("cartn_x", "cartn_y", "cartn_z")
MODELCIF = ("_ma_model_list.model_id", "_ma_data.id", "_ma_qa_metric.id")


def read_mmcif(content: bytes) -> Entry:
    """Read one mmCIF file.

    Raises
    ------
    UnreadableError
        if it cannot be tokenized or holds no atoms.
    """
    table, rest = split_atoms(content)
    document = _document(rest) if table else None
    block = next((block for block in document if block.find_values(CUT)), None) if document else None
    if block is None:  # not cut, or cut out of a text field: the tokenizer has the last word
        document = _document(content, needed=True)
        block = next((block for block in document if _has_atoms(block)), None)
        if block is None:
            raise UnreadableError("no_atoms", "the file has no _atom_site coordinates")
        table = atom_columns(block)
    columns, models = table
    if not all(axis in columns for axis in POSITION) or not len(columns["cartn_x"]):
        raise UnreadableError("no_atoms", "the file has no _atom_site coordinates")
    first = _first_atoms(columns)
    atoms = _atoms(columns, first)
    residues, strands = _residues(columns, first, block)
    parents = _parents(block)
    model = Model(atoms, residues, parents)
    polymers, others = find_polymers(model, strands, find_declared(block, strands))
    notes = [
        Drop("data_block", other.name, "the file has several data blocks with atoms, of which the first is read")
        for other in document
        if other is not block and _has_atoms(other)
    ]
    return Entry(_header(block, models), atoms, residues, strands, model.amino, polymers, others, notes, parents)


def _document(content: bytes, needed: bool = False) -> gemmi.cif.Document | None:
    """The document; of a file that is not valid None, or where it is needed the reason."""
    try:
        return gemmi.cif.read_string(content)
    except (ValueError, RuntimeError) as error:
        if not needed:
            return None
        raise UnreadableError("syntax", "the file is no valid mmCIF, or cut short", one_line(error)) from None


def _has_atoms(block: gemmi.cif.Block) -> bool:
    return bool(block.find_values("_atom_site.Cartn_x"))


def _first_atoms(columns: Columns) -> np.ndarray:
    """(A,) bool, the first atom of each run of atoms of one residue."""
    first = np.zeros(len(columns["cartn_x"]), dtype=bool)
    first[0] = True
    tags = ("label_asym_id", "label_seq_id", "label_comp_id", "auth_asym_id", "auth_seq_id", "pdbx_pdb_ins_code")
    for tag in (*tags, *(["auth_comp_id"] if "auth_comp_id" in columns else [])):
        if tag in columns:
            first[1:] |= columns[tag][1:] != columns[tag][:-1]
    return first


def _atoms(columns: Columns, first: np.ndarray) -> Atoms:
    return Atoms(
        residue=np.cumsum(first) - 1,
        kind=kinds(first_of(columns, "label_atom_id", "auth_atom_id")),
        altloc=first_of(columns, "label_alt_id"),
        occupancy=numbers(columns["occupancy"], 1.0) if "occupancy" in columns else np.ones(len(first)),
        coordinates=np.stack([numbers(columns[axis]) for axis in POSITION], axis=1),
        b_factor=first_of(columns, "b_iso_or_equiv"),
    )


def _residues(columns: Columns, first: np.ndarray, block: gemmi.cif.Block) -> tuple[Residues, list[Strand]]:
    at = np.flatnonzero(first)
    picked = {tag: column[at] for tag, column in columns.items()}

    def texts(*tags: str) -> list[str]:
        return [text(value) for value in first_of(picked, *tags).tolist()]

    number = integers(picked["label_seq_id"]) if "label_seq_id" in picked else np.full(len(at), MISSING)
    author, insertion = texts("auth_seq_id"), texts("pdbx_pdb_ins_code")
    if not any(author):
        author = ["" if value == MISSING else str(value) for value in number.tolist()]
    strands, which = _strands(texts("label_asym_id"), texts("auth_asym_id"), texts("label_entity_id"), block)
    residues = Residues(
        strand=which,
        name=texts("label_comp_id", "auth_comp_id"),
        number=number,
        author=[one + code for one, code in zip(author, insertion, strict=True)] if any(insertion) else author,
        author_number=np.array([int(one) if WHOLE.fullmatch(one) else MISSING for one in author], dtype=np.int64),
        hetero=picked["group_pdb"] == b"HETATM" if "group_pdb" in picked else np.zeros(len(at), dtype=bool),
        late=np.zeros(len(at), dtype=bool),
        start=np.append(at, len(first)),
    )
    return residues, strands


def _strands(
    label: list[str], auth: list[str], entity: list[str], block: gemmi.cif.Block
) -> tuple[list[Strand], np.ndarray]:
    """The chains in the order of `_struct_asym`, then of the atoms; and (R,) which of them each residue is of."""
    pairs = dict(zip(zip(label, auth, strict=True), entity, strict=True))
    counts = Counter(one for one, _ in pairs)
    listed = dict(rows(block, "struct_asym", "id", "entity_id"))
    named = {(one, other): one for one, other in pairs if one and counts[one] == 1}
    taken = set(named.values())
    for (one, other), of in pairs.items():
        if (one, other) not in named:
            named[one, other] = _unused(other or one or "A", taken, {n for n, e in listed.items() if of and e != of})
            taken.add(named[one, other])
    names = [named[pair] for pair in zip(label, auth, strict=True)]
    author = strand_names(block)
    strands = {one: Strand(one, author.get(one, ""), of) for one, of in listed.items() if one}
    for name, other, of in dict.fromkeys(zip(names, auth, entity, strict=True)):
        strands[name] = Strand(name, other, strands[name].entity if name in strands else of)
    order = {name: at for at, name in enumerate(strands)}
    return list(strands.values()), np.array([order[name] for name in names], dtype=np.int64)


def _unused(wanted: str, *taken: set[str]) -> str:
    """The name, or the name with the first free number behind."""
    names = (wanted if copy == 1 else f"{wanted}-{copy}" for copy in count(1))
    return next(name for name in names if not any(name in one for one in taken))


def _parents(block: gemmi.cif.Block) -> dict[str, str]:
    pairs = rows(block, "chem_comp", "id", "?mon_nstd_parent_comp_id")
    return only_parents(pairs + rows(block, "pdbx_struct_mod_residue", "label_comp_id", "parent_comp_id"))


def _header(block: gemmi.cif.Block, models: int) -> Header:
    methods = [stated(method, "") or "" for (method,) in rows(block, "exptl", "method") if method]
    if not methods and any(block.find_values(tag) for tag in MODELCIF):
        methods = [PREDICTED]
    remarks = "" if methods else " ".join(title for (title,) in rows(block, "struct", "title"))
    history = rows(block, "pdbx_audit_revision_history", "revision_date", "?data_content_type")
    dates = [date for date, content in history if date and content.lower() in ("", "structure model")]
    dates = dates or [date for (date,) in rows(block, "database_PDB_rev", "date") if date]
    dates = [date for date in dates if ISO_DATE.fullmatch(date)]
    return Header(
        method="; ".join(methods) or stated("", remarks),
        resolution=_first(block, RESOLUTIONS, 1000),
        r_free=_first(block, R_FREE, 1),
        released=min(dates, default=None),
        revised=max(dates, default=None),
        models=models,
    )


def _first(block: gemmi.cif.Block, columns: Columned, limit: float) -> float | None:
    """The first number above 0 and below the limit that stands in one of the columns."""
    values = (gemmi.cif.as_number(value) for category, tag in columns for (value,) in rows(block, category, tag))
    return next((value for value in values if math.isfinite(value) and 0 < value < limit), None)
