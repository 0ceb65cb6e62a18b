"""mmCIF to an entry: SEQRES, the file's own tables of parents, provenance, and the atoms of the first model."""

import math

import gemmi
import numpy as np

from foldgraft.curate.coordinates import polymers_from_atoms
from foldgraft.curate.entry import Atoms, Entry, Header, Polymer, UnreadableError, one_line, text
from foldgraft.curate.letters import is_amino_acid
from foldgraft.curate.tables import Columns, atom_columns, cleared, integers, numbers, split_atoms

Rows = list[list[str]]


def read_mmcif(content: bytes) -> Entry:
    """Read one mmCIF file.

    Raises
    ------
    UnreadableError
        if it cannot be tokenized or holds no atoms.
    """
    columns, rest = split_atoms(content)
    try:
        block = _block(rest, columns is not None)
    except UnreadableError:
        # the cut tables may have stood in a text field; the tokenizer has the last word
        if columns is None:
            raise
        columns, block = None, _block(content, False)
    atoms = _atoms(atom_columns(block) if columns is None else columns)
    parents = _parents(block)
    polymers = _polymers(block, atoms)
    if polymers is None:
        atoms, polymers = polymers_from_atoms(atoms, parents)
    return Entry(_header(block), polymers, atoms, parents)


def _block(content: bytes, atoms_elsewhere: bool) -> gemmi.cif.Block:
    """The data block with the atoms, else the first."""
    try:
        document = gemmi.cif.read_string(content)
    except (ValueError, RuntimeError) as error:
        raise UnreadableError("syntax", "the file is no valid mmCIF, or cut short", one_line(error)) from None
    if len(document) == 0:
        raise UnreadableError("not_a_structure", "the file has no data block")
    holding = [block for block in document if block.find_values("_atom_site.Cartn_x")]
    return holding[0] if holding and not atoms_elsewhere else document[0]


def rows(block: gemmi.cif.Block, category: str, *tags: str) -> Rows:
    """Rows of a category with the tags asked for; null values, and optional tags (`?tag`) not there, are empty."""
    table = block.find(f"_{category}.", list(tags))
    return [[gemmi.cif.as_string(row[k]) if row.has(k) else "" for k in range(len(tags))] for row in table]


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
        b_factor=numbers(column("B_iso_or_equiv")),
        auth_number=column("auth_seq_id", "label_seq_id"),
        insertion=column("pdbx_PDB_ins_code"),
        auth_asym=column("auth_asym_id", "label_asym_id"),
        entity=column("label_entity_id"),
    )


def _polymers(block: gemmi.cif.Block, atoms: Atoms) -> list[Polymer] | None:
    """Protein chains by the file's SEQRES; None if it has none."""
    sequences: dict[str, dict[int, str]] = {}
    for entity, number, monomer in rows(block, "entity_poly_seq", "entity_id", "num", "mon_id"):
        if number.isascii() and number.isdigit() and len(number) < 10:
            sequences.setdefault(entity, {}).setdefault(int(number), monomer)
    if not sequences:
        return None
    kinds = dict(rows(block, "entity_poly", "entity_id", "?type"))
    uniprot, organism = _accessions(block), _organisms(block)
    chains = []
    for asym, entity, auth in _asyms(block, atoms):
        monomers = sequences.get(entity)
        if monomers and _is_protein(kinds.get(entity, ""), list(monomers.values())):
            order = sorted(monomers)
            chains.append(
                Polymer(
                    label_asym_id=asym,
                    auth_asym_id=auth or None,
                    entity=entity,
                    monomers=[monomers[number] for number in order],
                    numbers=np.array(order, dtype=np.int64),
                    uniprot=uniprot.get(entity),
                    organism=organism.get(entity),
                )
            )
    return chains


def _is_protein(kind: str, monomers: list[str]) -> bool:
    if kind:
        return kind.lower() == "polypeptide(l)"
    return sum(map(is_amino_acid, monomers)) * 2 > len(monomers)


def _asyms(block: gemmi.cif.Block, atoms: Atoms) -> list[tuple[str, str, str]]:
    """(label_asym_id, entity, auth_asym_id) of each polymer chain, in the order of `_struct_asym` or of the atoms."""
    names, first = np.unique(atoms.asym, return_index=True)
    modelled = {text(name): at for name, at in zip(names.tolist(), first.tolist(), strict=True)}
    listed = dict(rows(block, "struct_asym", "id", "entity_id"))
    if not listed:
        listed = {asym: text(atoms.entity[at]) for asym, at in sorted(modelled.items(), key=lambda pair: pair[1])}
    author = {asym: text(atoms.auth_asym[at]) for asym, at in modelled.items()}
    return [(asym, entity, author.get(asym, "")) for asym, entity in listed.items() if asym]


def _parents(block: gemmi.cif.Block) -> dict[str, str]:
    """Parent of each modified residue by the file's tables; one with several different parents has the parent ''."""
    parents: dict[str, set[str]] = {}
    for name, parent in rows(block, "chem_comp", "id", "?mon_nstd_parent_comp_id"):
        if parent:
            parents.setdefault(name, set()).update(parent.upper().replace(",", " ").split())
    for name, parent in rows(block, "pdbx_struct_mod_residue", "label_comp_id", "parent_comp_id"):
        if parent:
            parents.setdefault(name, set()).update(parent.upper().replace(",", " ").split())
    return {name: next(iter(found)) if len(found) == 1 else "" for name, found in parents.items()}


def _accessions(block: gemmi.cif.Block) -> dict[str, str]:
    """UniProt accessions of each entity, comma-separated where it is a fusion."""
    found: dict[str, dict[str, None]] = {}
    places = rows(block, "struct_ref", "db_name", "pdbx_db_accession", "entity_id")
    places += rows(block, "ma_target_ref_db_details", "db_name", "db_accession", "target_entity_id")
    for database, accession, entity in places:
        if database.upper() == "UNP" and accession:
            found.setdefault(entity, {})[accession] = None
    return {entity: ",".join(names) for entity, names in found.items()}


def _organisms(block: gemmi.cif.Block) -> dict[str, str]:
    sources = (
        ("entity_src_gen", "pdbx_gene_src_scientific_name"),
        ("entity_src_nat", "pdbx_organism_scientific"),
        ("pdbx_entity_src_syn", "organism_scientific"),
        ("ma_target_ref_db_details", "organism_scientific"),
    )
    found: dict[str, str] = {}
    for category, tag in sources:
        entity = "target_entity_id" if category.startswith("ma_") else "entity_id"
        for key, organism in rows(block, category, entity, tag):
            if organism:
                found.setdefault(key, organism)
    return found


def _header(block: gemmi.cif.Block) -> Header:
    methods = [method.upper() for (method,) in rows(block, "exptl", "method") if method]
    if not methods and block.find_values("_ma_model_list.model_id"):
        methods = ["PREDICTED"]
    resolution = next((r for r in map(_positive, _resolutions(block)) if r), None)
    dates = [date for (date,) in rows(block, "pdbx_audit_revision_history", "revision_date") if date]
    dates = dates or [date for (date,) in rows(block, "database_PDB_rev", "date") if date]
    return Header("; ".join(methods) or None, resolution, min(dates, default=None))


def _resolutions(block: gemmi.cif.Block) -> list[str]:
    places = (("refine", "ls_d_res_high"), ("em_3d_reconstruction", "resolution"), ("reflns", "d_resolution_high"))
    return [value for category, tag in places for (value,) in rows(block, category, tag)]


def _positive(value: str) -> float | None:
    number = gemmi.cif.as_number(value)
    return number if math.isfinite(number) and 0 < number < 1000 else None
