"""The categories around the atoms of an mmCIF entry, and the one entry that holds no protein."""

import gemmi
import numpy as np

SYNTHETIC = ("synthetic construct", "32630")  # name and number in the NCBI taxonomy
RISE, TWIST = 3.38, np.radians(36.0)  # angstrom and radians per step of B-DNA
STRAND = {"P": (8.9, 0.0, 0.0), "C4'": (7.7, 0.42, 2.4), "C1'": (5.9, 0.55, 1.9)}
"""Cylindrical places (radius in angstrom, angle in radians, height in angstrom) of a strand's main atoms."""


def polymer(number: str, kind: gemmi.PolymerType, chains: list[str], names: list[str]) -> gemmi.Entity:
    """A polymer entity with its deposited sequence in residue names."""
    entity = gemmi.Entity(number)
    entity.entity_type, entity.polymer_type = gemmi.EntityType.Polymer, kind
    entity.subchains, entity.full_sequence = chains, names
    return entity


def deposited(rng: np.random.Generator, structure: gemmi.Structure, resolution: float | None) -> str:
    """mmCIF text of a structure with method, resolution (angstrom), release, organism and sequence scheme."""
    structure.assign_serial_numbers()
    groups = gemmi.MmcifOutputGroups(True)
    groups.auth_all = True
    made = structure.make_mmcif_document(groups)
    block = made.sole_block()
    name = structure.info["_entry.id"]
    released = f"{rng.integers(1998, 2025)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    revision = {
        "ordinal": ["1"],
        "data_content_type": ["Structure model"],
        "major_revision": ["1"],
        "minor_revision": ["0"],
        "revision_date": [released],
    }
    block.set_mmcif_category("_pdbx_audit_revision_history.", revision)
    if resolution is not None:
        refined = {"entry_id": [name], "pdbx_refine_id": ["X-RAY DIFFRACTION"], "ls_d_res_high": [f"{resolution:.2f}"]}
        block.set_mmcif_category("_refine.", refined)
    organism, taxonomy = SYNTHETIC
    source = {
        "entity_id": ["1"],
        "pdbx_src_id": ["1"],
        "organism_scientific": [organism],
        "ncbi_taxonomy_id": [taxonomy],
    }
    block.set_mmcif_category("_pdbx_entity_src_syn.", source)
    block.set_mmcif_category("_pdbx_poly_seq_scheme.", _scheme(structure))
    modified = _modified(structure)
    if modified["id"]:
        block.set_mmcif_category("_pdbx_struct_mod_residue.", modified)
    return made.as_string()


def _scheme(structure: gemmi.Structure) -> dict[str, list]:
    """The deposited sequence of each polymer chain against the authors' numbers, `None` where nothing is resolved."""
    keys = "asym_id entity_id seq_id mon_id ndb_seq_num pdb_seq_num auth_seq_num pdb_mon_id auth_mon_id "
    keys += "pdb_strand_id pdb_ins_code hetero"
    scheme: dict[str, list] = {key: [] for key in keys.split()}
    entity = structure.entities[0]
    for chain in structure[0]:
        resolved = {r.label_seq: r for r in chain if r.entity_type == gemmi.EntityType.Polymer}
        first = next(iter(resolved.values()))
        subchain, shift = first.subchain, first.seqid.num - first.label_seq
        for number, name in enumerate(entity.full_sequence, start=1):
            residue = resolved.get(number)
            author, name_seen = (str(residue.seqid.num), residue.name) if residue else (None, None)
            icode = (residue.seqid.icode.strip() if residue else "") or False
            place = author or str(number + shift)  # unresolved residues have a place but no author's number
            row = (subchain, entity.name, str(number), name, str(number), place, author, name_seen, name_seen)
            row += (chain.name, icode, "n")
            for key, value in zip(scheme, row, strict=True):
                scheme[key].append(value)
    return scheme


def _modified(structure: gemmi.Structure) -> dict[str, list]:
    """Residues that stand for another one: selenomethionine for methionine."""
    selenomethionines = [(chain, residue) for chain in structure[0] for residue in chain if residue.name == "MSE"]
    return {
        "id": [str(number) for number in range(1, len(selenomethionines) + 1)],
        "label_asym_id": [residue.subchain for _, residue in selenomethionines],
        "label_comp_id": [residue.name for _, residue in selenomethionines],
        "label_seq_id": [str(residue.label_seq) for _, residue in selenomethionines],
        "auth_asym_id": [chain.name for chain, _ in selenomethionines],
        "auth_seq_id": [str(residue.seqid.num) for _, residue in selenomethionines],
        "parent_comp_id": ["MET"] * len(selenomethionines),
        "details": ["selenomethionine"] * len(selenomethionines),
    }


def dna(rng: np.random.Generator, name: str, length: int = 12) -> str:
    """An entry that holds a single strand of DNA and no protein, as mmCIF text."""
    bases = [f"D{base}" for base in rng.choice(list("ACGT"), length)]
    structure = gemmi.Structure()
    structure.name = name
    structure.info["_entry.id"] = name.upper()
    structure.info["_struct.title"] = "Synthetic DNA without protein"
    structure.info["_exptl.method"] = "X-RAY DIFFRACTION"
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    for step, base in enumerate(bases):
        residue = gemmi.Residue()
        residue.name, residue.label_seq, residue.subchain, residue.entity_id = base, step + 1, "A", "1"
        residue.entity_type, residue.het_flag = gemmi.EntityType.Polymer, "A"
        residue.seqid = gemmi.SeqId(step + 1, " ")
        for label, (radius, angle, height) in STRAND.items():
            turned = angle + step * TWIST
            place = (radius * np.cos(turned), radius * np.sin(turned), height + step * RISE)
            atom = gemmi.Atom()
            atom.name, atom.element = label, gemmi.Element(label[0])
            atom.pos = gemmi.Position(*np.round(place, 3).tolist())
            atom.occ, atom.b_iso = 1.0, 25.0
            residue.add_atom(atom)
        chain.add_residue(residue)
    model.add_chain(chain)
    structure.add_model(model)
    structure.entities.append(polymer("1", gemmi.PolymerType.Dna, ["A"], bases))
    return deposited(rng, structure, 2.1)
