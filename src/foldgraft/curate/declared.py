"""The sequences that an mmCIF file declares of its polymers."""

import re
from collections.abc import Sequence

import gemmi
import numpy as np

from foldgraft.curate.cif import rows
from foldgraft.curate.entry import Declared, Strand
from foldgraft.curate.residue_names import LETTERS
from foldgraft.curate.uniprot import accessions, mmcif_segments, organisms

NAMES = {one: three for three, one in LETTERS.items()}
ONE_LETTER = re.compile(r"\(([^()\s]+)\)|([A-Za-z])")
NUCLEOTIDES = set("ACGTUN")

Monomers = dict[int, str]
"""Monomer by label number."""


def find_declared(block: gemmi.cif.Block, strands: Sequence[Strand]) -> dict[int, Declared]:
    """What the file declares of each of the strands, by its index; nothing of those that are no polymers."""
    kinds = dict(rows(block, "entity_poly", "entity_id", "?type"))
    by_entity, by_asym, author = _by_entity(block, kinds), *_scheme(block)
    of_strand = {
        name: entity
        for entity, stated in rows(block, "entity_poly", "entity_id", "pdbx_strand_id")
        for name in stated.replace(" ", "").split(",")
    }
    asyms = [(strand.label_asym_id, strand.entity, strand.auth_asym_id) for strand in strands]
    uniprot, organism, segments = accessions(block), organisms(block), mmcif_segments(block, asyms)
    declared = {}
    for index, strand in enumerate(strands):
        entity = strand.entity or of_strand.get(strand.auth_asym_id, "")
        asym = strand.label_asym_id
        monomers = by_entity.get(entity) or by_asym.get(asym)
        if not monomers:
            continue
        order = sorted(monomers)
        numbers = author.get(asym, {})
        declared[index] = Declared(
            monomers=[monomers[number] for number in order],
            numbers=np.array(order, dtype=np.int64),
            kind=kinds.get(entity, ""),
            uniprot=uniprot.get(entity),
            organism=organism.get(entity),
            segments=segments.get(asym, ()),
            author=[numbers.get(number, "") for number in order],
        )
    return declared


def strand_names(block: gemmi.cif.Block) -> dict[str, str]:
    """The authors' name of each chain by `_pdbx_poly_seq_scheme`, also of those without atoms."""
    return dict(rows(block, "pdbx_poly_seq_scheme", "asym_id", "pdb_strand_id"))


def _by_entity(block: gemmi.cif.Block, kinds: dict[str, str]) -> dict[str, Monomers]:
    """SEQRES of each entity; at a heterogeneous position the first monomer."""
    sequences: dict[str, Monomers] = {}
    for entity, stated, monomer in rows(block, "entity_poly_seq", "entity_id", "num", "mon_id"):
        if (number := _number(stated)) is not None:
            sequences.setdefault(entity, {}).setdefault(number, monomer)
    tags = ("entity_id", "?pdbx_seq_one_letter_code", "?pdbx_seq_one_letter_code_can")
    for entity, modified, plain in rows(block, "entity_poly", *tags):
        if entity not in sequences and (names := _spelled(modified or plain, kinds.get(entity, ""))):
            sequences[entity] = dict(enumerate(names, start=1))
    return sequences


def _spelled(code: str, kind: str) -> list[str]:
    """Three-letter names of a one-letter code, in which `(MSE)` is a monomer; none where it may be of nucleotides."""
    pairs = ONE_LETTER.findall(code)
    if not kind and {one.upper() for _, one in pairs} <= NUCLEOTIDES:
        return []
    return [name or NAMES.get(one.upper(), "UNK") for name, one in pairs]


def _scheme(block: gemmi.cif.Block) -> tuple[dict[str, Monomers], dict[str, dict[int, str]]]:
    """By label_asym_id: the monomers, and the author numbers of all residues, by label number."""
    monomers: dict[str, Monomers] = {}
    author: dict[str, dict[int, str]] = {}
    tags = ("asym_id", "seq_id", "?mon_id", "pdb_seq_num", "?pdb_ins_code")
    for asym, stated, monomer, number, insertion in rows(block, "pdbx_poly_seq_scheme", *tags):
        label = _number(stated)
        if label is None:
            continue
        if monomer:
            monomers.setdefault(asym, {}).setdefault(label, monomer)
        author.setdefault(asym, {}).setdefault(label, number + insertion if number else "")
    return monomers, author


def _number(stated: str) -> int | None:
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else None
