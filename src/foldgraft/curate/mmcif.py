"""mmCIF to an entry: SEQRES, the file's own tables of parents, provenance, and the atoms of the first model."""

import math
import re
from collections.abc import Collection
from dataclasses import replace

import gemmi
import numpy as np

from foldgraft.curate.atom_site import CUT, Columns, atom_columns, cleared, integers, numbers, split_atoms
from foldgraft.curate.cif import rows
from foldgraft.curate.entry import NOTHING, Atoms, Entry, Header, Polymer, UnreadableError, one_line, text
from foldgraft.curate.no_seqres import polymers_from_atoms
from foldgraft.curate.residue_names import is_amino_acid, only_parents
from foldgraft.curate.uniprot import Asym, accessions, mmcif_segments, organisms

Places = tuple[tuple[str, str], ...]
RESOLUTIONS: Places = (
    ("refine", "ls_d_res_high"),
    ("em_3d_reconstruction", "resolution"),
    ("reflns", "d_resolution_high"),
)
R_FREE: Places = (("refine", "ls_R_factor_R_free"),)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_mmcif(content: bytes) -> Entry:
    """Read one mmCIF file.

    Raises
    ------
    UnreadableError
        if it cannot be tokenized or holds no atoms.
    """
    table, rest = split_atoms(content)
    block = _block(rest, CUT) if table else None
    if block is None:  # not cut, or cut out of a text field: the tokenizer has the last word
        block = _block(content, "_atom_site.Cartn_x", needed=True)
        table = atom_columns(block)
    columns, models = table
    atoms = _atoms(columns)
    parents = _parents(block)
    polymers, others, undeclared = _polymers(block, atoms)
    if undeclared.any() or not (polymers or others):
        atoms, read_off = polymers_from_atoms(replace(atoms, number=np.where(undeclared, 0, atoms.number)), parents)
        polymers += read_off
    return Entry(_header(block, models), polymers, atoms, parents, others)


def _block(content: bytes, tag: str, needed: bool = False) -> gemmi.cif.Block | None:
    """The first data block with the tag; without one, or a valid file, None, or where it is needed the reason."""
    try:
        document = gemmi.cif.read_string(content)
    except (ValueError, RuntimeError) as error:
        if not needed:
            return None
        raise UnreadableError("syntax", "the file is no valid mmCIF, or cut short", one_line(error)) from None
    block = next((block for block in document if block.find_values(tag)), None)
    if block is None and needed:
        raise UnreadableError("no_atoms", "the file has no _atom_site coordinates")
    return block


def _atoms(columns: Columns) -> Atoms:
    if not all(f"Cartn_{axis}" in columns for axis in "xyz") or not len(columns["Cartn_x"]):
        raise UnreadableError("no_atoms", "the file has no _atom_site coordinates")
    count = len(columns["Cartn_x"])

    def column(*tags: str) -> np.ndarray:
        found = next((columns[tag] for tag in tags if tag in columns), None)
        return np.zeros(count, dtype="S1") if found is None else cleared(found)

    occupancy = numbers(columns["occupancy"], 1.0) if "occupancy" in columns else np.ones(count)
    return Atoms(
        asym=column("label_asym_id", "auth_asym_id"),
        number=integers(column("label_seq_id")),
        residue=column("label_comp_id", "auth_comp_id"),
        name=column("label_atom_id", "auth_atom_id"),
        altloc=column("label_alt_id"),
        occupancy=occupancy,
        position=np.stack([numbers(columns[f"Cartn_{axis}"]) for axis in "xyz"], axis=1),
        b_factor=column("B_iso_or_equiv"),
        auth_number=column("auth_seq_id", "label_seq_id"),
        insertion=column("pdbx_PDB_ins_code"),
        auth_asym=column("auth_asym_id", "label_asym_id"),
        entity=column("label_entity_id"),
    )


def _sequences(block: gemmi.cif.Block) -> dict[str, dict[int, str]]:
    """SEQRES of each entity: monomer by number, at a heterogeneous position the first."""
    sequences: dict[str, dict[int, str]] = {}
    for entity, number, monomer in rows(block, "entity_poly_seq", "entity_id", "num", "mon_id"):
        if number.isascii() and number.isdigit() and len(number) < 10:
            sequences.setdefault(entity, {}).setdefault(int(number), monomer)
    return sequences


def _polymers(block: gemmi.cif.Block, atoms: Atoms) -> tuple[list[Polymer], list[tuple[str, str]], np.ndarray]:
    """Protein chains by the file's SEQRES; label_asym_id and kind of the other polymers; and a mask (A,) of the atoms
    with a label number whose entity has no SEQRES."""
    sequences, kinds = _sequences(block), dict(rows(block, "entity_poly", "entity_id", "?type"))
    scheme, strands = _scheme(block)
    members = atoms.by_asym()
    asyms = _asyms(block, atoms, members, strands)
    undeclared = np.zeros(len(atoms), dtype=bool)
    uniprot, organism, segments = accessions(block), organisms(block), mmcif_segments(block, asyms)
    chains, others = [], []
    for asym, entity, auth in asyms:
        monomers = sequences.get(entity)
        if not monomers:
            mine = members.get(asym.encode("latin-1", "replace"), NOTHING)
            undeclared[mine] = atoms.number[mine] >= 0
            continue
        kind = kinds.get(entity, "")
        if not _is_protein(kind, monomers.values()):
            others.append((asym, kind))
            continue
        order = sorted(monomers)
        author = scheme.get(asym, {})
        chains.append(
            Polymer(
                label_asym_id=asym,
                auth_asym_id=auth or None,
                entity=entity,
                monomers=[monomers[number] for number in order],
                numbers=np.array(order, dtype=np.int64),
                uniprot=uniprot.get(entity),
                organism=organism.get(entity),
                segments=segments.get(asym, ()),
                author=[author.get(str(number), "") for number in order],
            )
        )
    return chains, others, undeclared


def _scheme(block: gemmi.cif.Block) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """By label_asym_id: author numbers of all residues by label number, and the auth_asym_id."""
    numbers: dict[str, dict[str, str]] = {}
    strands: dict[str, str] = {}
    tags = ("asym_id", "seq_id", "pdb_seq_num", "?pdb_ins_code", "?pdb_strand_id")
    for asym, number, author, insertion, strand in rows(block, "pdbx_poly_seq_scheme", *tags):
        if asym not in numbers:
            numbers[asym], strands[asym] = {}, strand
        numbers[asym].setdefault(number, author + insertion if author else "")
    return numbers, strands


def _is_protein(kind: str, monomers: Collection[str]) -> bool:
    if kind:
        return kind.lower() == "polypeptide(l)"
    return sum(map(is_amino_acid, monomers)) * 2 > len(monomers)


def _asyms(
    block: gemmi.cif.Block, atoms: Atoms, members: dict[bytes, np.ndarray], strands: dict[str, str]
) -> list[Asym]:
    """The chains in the order of `_struct_asym`, or of the atoms."""
    modelled = {text(name): found[0] for name, found in members.items()}
    listed = dict(rows(block, "struct_asym", "id", "entity_id"))
    for asym, at in modelled.items():
        listed.setdefault(asym, text(atoms.entity[at]))
    author = strands | {asym: text(atoms.auth_asym[at]) for asym, at in modelled.items()}
    return [(asym, entity, author.get(asym, "")) for asym, entity in listed.items() if asym]


def _parents(block: gemmi.cif.Block) -> dict[str, str]:
    pairs = rows(block, "chem_comp", "id", "?mon_nstd_parent_comp_id")
    return only_parents(pairs + rows(block, "pdbx_struct_mod_residue", "label_comp_id", "parent_comp_id"))


def _header(block: gemmi.cif.Block, models: int) -> Header:
    methods = [method.upper() for (method,) in rows(block, "exptl", "method") if method]
    if not methods and block.find_values("_ma_model_list.model_id"):
        methods = ["PREDICTED"]
    history = rows(block, "pdbx_audit_revision_history", "revision_date", "?data_content_type")
    dates = [date for date, content in history if date and content.lower() in ("", "structure model")]
    dates = dates or [date for (date,) in rows(block, "database_PDB_rev", "date") if date]
    dates = [date for date in dates if ISO_DATE.fullmatch(date)]
    return Header(
        method="; ".join(methods) or None,
        resolution=_first(block, RESOLUTIONS, 1000),
        r_free=_first(block, R_FREE, 1),
        released=min(dates, default=None),
        revised=max(dates, default=None),
        models=models,
    )


def _first(block: gemmi.cif.Block, places: Places, limit: float) -> float | None:
    """The first number above 0 and below the limit that stands in one of the places."""
    values = (gemmi.cif.as_number(value) for category, tag in places for (value,) in rows(block, category, tag))
    return next((value for value in values if math.isfinite(value) and 0 < value < limit), None)
