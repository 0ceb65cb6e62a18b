"""Which organism a chain is of, and which of its stretches are stretches of which UniProt entry.

Decisions
---------
- Of an mmCIF file, its own SIFTS table (`_pdbx_sifts_unp_segments`, best mappings only) comes before the depositor's
  `_struct_ref_seq`, chain by chain; each segment names its origin. A SIFTS table given from outside comes before both,
  unless its numbers are not the chain's: two chains may have one author name, and a local file may be renumbered.
- Files number segments by label or by author. The other number is looked up in the chain; where a legacy PDB file
  (DBREF, DBREF1/2) names a residue that it does not resolve, the label number is counted from the nearest one that it
  does, and left out if that ends outside the chain or on a residue of another number.
"""

import re
from collections.abc import Sequence

import gemmi
import numpy as np

from foldgraft.curate.cif import rows
from foldgraft.curate.entry import text
from foldgraft.records.sifts import Segment

WHOLE = re.compile(r"-?[0-9]{1,9}")
Asym = tuple[str, str, str]  # label_asym_id, entity, auth_asym_id


def accessions(block: gemmi.cif.Block) -> dict[str, str]:
    """UniProt accessions of each entity, comma-separated where it is a fusion."""
    by_entity: dict[str, dict[str, None]] = {}
    references = rows(block, "struct_ref", "db_name", "pdbx_db_accession", "entity_id")
    references += rows(block, "ma_target_ref_db_details", "db_name", "db_accession", "target_entity_id")
    for database, accession, entity in references:
        if database.upper() == "UNP" and accession:
            by_entity.setdefault(entity, {})[accession] = None
    return {entity: ",".join(names) for entity, names in by_entity.items()}


def organisms(block: gemmi.cif.Block) -> dict[str, str]:
    """Scientific name of each entity's organism."""
    sources = (
        ("entity_src_gen", "pdbx_gene_src_scientific_name"),
        ("entity_src_nat", "pdbx_organism_scientific"),
        ("pdbx_entity_src_syn", "organism_scientific"),
        ("ma_target_ref_db_details", "organism_scientific"),
    )
    by_entity: dict[str, str] = {}
    for category, tag in sources:
        entity = "target_entity_id" if category.startswith("ma_") else "entity_id"
        for key, organism in rows(block, category, entity, tag):
            if organism:
                by_entity.setdefault(key, organism)
    return by_entity


def mmcif_segments(block: gemmi.cif.Block, asyms: Sequence[Asym]) -> dict[str, list[Segment]]:
    """UniProt segments of each chain by label_asym_id, without author numbers."""
    return _struct_ref(block, asyms) | _sifts(block)


def _sifts(block: gemmi.cif.Block) -> dict[str, list[Segment]]:
    tags = ("asym_id", "unp_acc", "seq_id_start", "seq_id_end", "unp_start", "unp_end", "?best_mapping")
    segments: dict[str, list[Segment]] = {}
    for asym, accession, start, end, first, last, best in rows(block, "pdbx_sifts_unp_segments", *tags):
        if accession and best.lower() != "n":
            numbers = map(whole, (start, end, first, last))
            segments.setdefault(asym, []).append(_segment(accession, *numbers, "mmcif"))
    return segments


def _struct_ref(block: gemmi.cif.Block, asyms: Sequence[Asym]) -> dict[str, list[Segment]]:
    references = {
        key: (accession, entity)
        for key, database, accession, entity in rows(
            block, "struct_ref", "id", "db_name", "pdbx_db_accession", "entity_id"
        )
        if database.upper() == "UNP" and accession
    }
    tags = ("ref_id", "?pdbx_strand_id", "seq_align_beg", "seq_align_end", "db_align_beg", "db_align_end")
    segments: dict[str, list[Segment]] = {}
    for key, strand, *ends in rows(block, "struct_ref_seq", *tags):
        if key not in references:
            continue
        accession, entity = references[key]
        segment = _segment(accession, *map(whole, ends), "struct_ref")
        for asym, of, auth in asyms:
            if of == entity and strand in ("", auth):
                segments.setdefault(asym, []).append(segment)
    return segments


def _segment(
    accession: str, start: int | None, end: int | None, first: int | None, last: int | None, origin: str
) -> Segment:
    return Segment(accession, start, end, None, None, first, last, origin)


def whole(value: str) -> int | None:
    """A whole number that fits 32 bits, None where the text is none."""
    value = value.strip()
    return int(value) if WHOLE.fullmatch(value) else None


def dbref_segments(lines: list[bytes]) -> dict[str, list[Segment]]:
    """UniProt segments of each chain of a legacy PDB file by its name, without label numbers."""
    segments: dict[str, list[Segment]] = {}
    first: list[str] = []
    for line in map(text, (line for line in lines if line.startswith(b"DBREF"))):
        chain, database = line[12:13], line[26:32].strip()
        accession, start, end, pieces = "", line[14:19], line[20:25], ()
        if line.startswith("DBREF ") and database == "UNP":
            accession, pieces = line[33:41], (line[55:60], line[62:67])
        elif line.startswith("DBREF1"):
            first = [chain, start, end] if database == "UNP" else []
        elif line.startswith("DBREF2") and first[:1] == [chain]:
            accession, start, end, pieces = line[18:40], *first[1:], (line[45:55], line[57:67])
        if accession.strip():
            author = start.replace(" ", "") or None, end.replace(" ", "") or None
            segment = Segment(accession.strip(), None, None, *author, *map(whole, pieces), "dbref")
            segments.setdefault(chain, []).append(segment)
    return segments


def pdb_organisms(lines: list[bytes]) -> dict[str, str]:
    """Organism of each chain of a legacy PDB file, by COMPND and SOURCE; that of '' is the only one of the file."""
    chains = {molecule: values.get("CHAIN", "") for molecule, values in _molecules(lines, b"COMPND").items()}
    by_chain: dict[str, str] = {}
    names = {
        molecule: values["ORGANISM_SCIENTIFIC"].capitalize()
        for molecule, values in _molecules(lines, b"SOURCE").items()
        if values.get("ORGANISM_SCIENTIFIC")
    }
    for molecule, name in names.items():
        by_chain |= dict.fromkeys(chains.get(molecule, "").replace(" ", "").split(","), name)
    by_chain.pop("", None)
    return by_chain | ({"": next(iter(names.values()))} if len(set(names.values())) == 1 else {})


def _molecules(lines: list[bytes], record: bytes) -> dict[str, dict[str, str]]:
    """The `KEY: value;` specifications of a record by MOL_ID."""
    whole_text = "".join(text(line[10:80]).rstrip().ljust(1) for line in lines if line.startswith(record))
    molecules: dict[str, dict[str, str]] = {}
    molecule = ""
    for part in whole_text.split(";"):
        key, _, value = part.partition(":")
        key, value = key.strip().upper(), " ".join(value.split())
        molecule = value if key == "MOL_ID" else molecule
        molecules.setdefault(molecule, {})[key] = value
    return molecules


def fits(segment: Segment, label: np.ndarray, author: list[str]) -> bool:
    """Whether the ends of a segment lie in the chain and have the author numbers that it says; arrays as below."""
    by_label = dict(zip(label.tolist(), author, strict=True))
    ends = (segment.label_start, segment.auth_start), (segment.label_end, segment.auth_end)
    return all(at is None or (at in by_label and (not number or by_label[at] in ("", number))) for at, number in ends)


def completed(segments: Sequence[Segment], label: np.ndarray, author: list[str]) -> tuple[Segment, ...]:
    """Segments with the numbers of both kinds at each end, as far as the chain tells them; each segment once.

    Parameters
    ----------
    segments : sequence of Segment
        with label numbers, author numbers, or both
    label : (L,) int, ascending
        label number of each residue
    author : list of L str
        author number with insertion code, empty where unknown
    """
    if not segments:
        return ()
    by_label = dict(zip(label.tolist(), author, strict=True))
    by_author = {number: at for at, number in by_label.items() if number}
    plain: list[tuple[int, int]] = []  # author numbers without insertion codes and their labels, once they are needed

    def both(at: int | None, number: str | None) -> tuple[int | None, str | None]:
        if at is None and number not in by_author and not plain:
            plain.extend((value, position) for one, position in by_author.items() if (value := whole(one)) is not None)
        label_number = _label(number, by_author, by_label, plain) if at is None else at
        return label_number, by_label.get(at) or None if number is None else number

    done = {}
    for segment in segments:
        label_start, auth_start = both(segment.label_start, segment.auth_start)
        label_end, auth_end = both(segment.label_end, segment.auth_end)
        ends = {"label_start": label_start, "label_end": label_end, "auth_start": auth_start, "auth_end": auth_end}
        done[segment._replace(**ends)] = None
    return tuple(done)


def _label(
    number: str | None, by_author: dict[str, int], by_label: dict[int, str], plain: list[tuple[int, int]]
) -> int | None:
    """Label number of the residue with this author number, None where it cannot be told."""
    wanted = whole(number or "")
    if number in by_author or wanted is None:
        return by_author.get(number)
    value, at = min(plain, key=lambda pair: abs(pair[0] - wanted), default=(0, 0))
    label_number = at + wanted - value
    return label_number if by_label.get(label_number) == "" else None
