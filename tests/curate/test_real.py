"""Agreement with Biopython and gemmi on real files, and of formats with one another; FOLDGRAFT_DATA names the folder.

Where they differ, the reason is in `docs/curation.md`.
"""

import gzip
import os
import warnings
from collections import defaultdict
from pathlib import Path

import gemmi
import numpy as np
import pytest
from Bio.PDB import MMCIFParser, PDBParser

from foldgraft.curate.chains import Built, protein_chains
from foldgraft.curate.entry import Entry, Polymer
from foldgraft.curate.residue_names import SELENIUM
from foldgraft.curate.structure_file import read_entry
from foldgraft.curate.user_sequences import with_supplied
from foldgraft.records.chains import Chain
from foldgraft.residues import ATOM_INDEX, ATOMS, THREE_TO_ONE

DATA = Path(os.environ.get("FOLDGRAFT_DATA", "absent")) / "structures"
MMCIF = sorted((DATA / "mmcif").glob("*.cif.gz"))
PDB = sorted([*(DATA / "bm5_chains").glob("*.pdb.gz"), *(DATA / "casp14_natives").glob("*.pdb.gz")])

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MMCIF, reason="FOLDGRAFT_DATA does not name a folder with structures"),
]


def chains_of(path: Path) -> dict[str, Chain]:
    return built("entry", read_entry(path.read_bytes(), 10**9))


def built(name: str, entry: Entry) -> dict[str, Chain]:
    found = protein_chains(name, entry, "files")
    return {result.chain.label_asym_id: result.chain for result in found if isinstance(result, Built)}


def best_conformer(residues: list) -> dict[str, np.ndarray]:
    """Atom positions by plain loops over Biopython's residues that share one place."""

    def unpacked(residue):
        return [atom for atom in residue.get_unpacked_list() if atom.occupancy is None or atom.occupancy > 0]

    residues = [residue for residue in residues if unpacked(residue)]
    if not residues:
        return {}
    # max() keeps the first of equals, and SEQRES names the first
    chosen = max(residues, key=lambda r: round(np.mean([a.occupancy for a in unpacked(r)]), 4))
    total = defaultdict(float)
    for atom in unpacked(chosen):
        if atom.altloc != " ":
            total[atom.altloc] += atom.occupancy
    label = min(total, key=lambda key: (-round(total[key], 4), key)) if total else " "
    return {atom.name: atom.coord for atom in unpacked(chosen) if atom.altloc in (" ", label)}


def same_coordinates(chain: Chain, expected: dict[int, dict[str, np.ndarray]], parents: dict[int, str]) -> None:
    table = np.full((len(chain), len(ATOMS), 3), np.nan, dtype=np.float32)
    for index, atoms in expected.items():
        for name, position in atoms.items():
            if name in ATOM_INDEX:
                table[index, ATOM_INDEX[name]] = position
            elif name == "SE" and chain.sequence[index] in SELENIUM:
                table[index, SELENIUM[chain.sequence[index]]] = position
    mine = np.isfinite(chain.coordinates[..., 0])
    # what is placed is where Biopython has it; what is left out is what the parent does not have
    np.testing.assert_allclose(chain.coordinates[mine], table[mine], atol=2e-3)
    standard = np.array([parents.get(i) in THREE_TO_ONE for i in range(len(chain))])
    np.testing.assert_array_equal(mine[standard], np.isfinite(table[..., 0])[standard])
    np.testing.assert_array_equal(chain.resolved, np.isfinite(table[:, ATOM_INDEX["CA"], 0]))


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_mmcif_coordinates_are_those_that_biopython_reads(path: Path) -> None:
    if path.name == "7qpd.cif.gz":
        pytest.skip("Biopython needs _atom_site.group_PDB, which this file lacks")
    parser = MMCIFParser(QUIET=True, auth_chains=False, auth_residues=False)
    with gzip.open(path, "rt") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = parser.get_structure("entry", handle)[0]
    mine = chains_of(path)
    numbers = {asym: polymer.numbers for asym, polymer in polymers_of(path).items()}
    for asym, chain in mine.items():
        places = {number: index for index, number in enumerate(numbers[asym].tolist())}
        residues = defaultdict(list)
        for residue in model.child_dict.get(asym, ()):
            found = residue.child_dict.values() if residue.is_disordered() == 2 else [residue]
            residues[places.get(residue.id[1], -1)].extend(found)
        expected = {index: best_conformer(found) for index, found in residues.items() if index >= 0}
        names = {index: found[0].resname for index, found in residues.items() if len(found) == 1}
        same_coordinates(chain, expected, names)


def polymers_of(path: Path) -> dict[str, Polymer]:
    return {polymer.strand.label_asym_id: polymer for polymer in read_entry(path.read_bytes(), 10**9).polymers}


@pytest.mark.parametrize("path", PDB, ids=lambda path: path.name.split(".")[0])
def test_pdb_residues_are_those_that_biopython_reads(path: Path) -> None:
    with gzip.open(path, "rt") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PDBParser(QUIET=True).get_structure("entry", handle)[0]
    (theirs,) = model
    (mine,) = chains_of(path).values()
    residues = {f"{residue.id[1]}{residue.id[2].strip()}": residue for residue in theirs}
    atoms = {number: best_conformer([residue]) for number, residue in residues.items()}
    # residues of no occupancy and those without CA are unresolved here; those of an unknown kind have no letter
    places = {number: place for place, number in enumerate(mine.auth_seq_id) if number}
    assert [number for number in residues if "CA" in atoms[number]] == [
        mine.auth_seq_id[place] for place in np.flatnonzero(mine.resolved)
    ]
    for number, place in places.items():
        assert mine.sequence[place] == THREE_TO_ONE.get(residues[number].resname, "X")
    expected = {place: atoms[number] for number, place in places.items()}
    same_coordinates(mine, expected, {place: residues[number].resname for number, place in places.items()})


def gemmi_block(path: Path) -> gemmi.cif.Block:
    return gemmi.cif.read_string(gzip.decompress(path.read_bytes()).decode("latin-1"))[0]


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_the_head_is_that_which_gemmi_reads(path: Path) -> None:
    header = read_entry(path.read_bytes(), 10**9).header
    structure = gemmi.make_structure_from_block(gemmi_block(path))
    stated = [item.r_free for item in structure.meta.refinement if np.isfinite(item.r_free) and item.r_free > 0]
    assert header.r_free == (pytest.approx(stated[0]) if stated else None)
    assert header.models == len(structure)
    if structure.resolution:  # gemmi leaves out those of cryo-EM and of data collection
        assert header.resolution == pytest.approx(structure.resolution)


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_the_table_of_the_polymer_numbers_residues_as_the_atoms_do(path: Path) -> None:
    polymers = polymers_of(path)
    for asym, chain in chains_of(path).items():
        stated = np.array(polymers[asym].author or [""] * len(chain))
        both = chain.resolved & (stated != "")
        np.testing.assert_array_equal(np.array(chain.auth_seq_id)[both], stated[both])
        np.testing.assert_array_equal(np.array(chain.auth_seq_id)[~chain.resolved & (stated != "")] != "", True)


OFFSET = {"1g50": {"B", "C"}}
"""Chains whose atoms the authors number 1304 and 2304 where their reference to UniProt says 304."""


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_segments_have_the_author_numbers_of_the_reference(path: Path) -> None:
    table = gemmi_block(path).find(
        "_struct_ref_seq.", ["pdbx_strand_id", "pdbx_auth_seq_align_beg", "?pdbx_seq_align_beg_ins_code"]
    )
    stated = defaultdict(set)
    for row in table:
        stated[row.str(0)].add(row.str(1) + (row.str(2) if row.has(2) else ""))
    chains = [chain for chain in chains_of(path).values() if chain.auth_asym_id not in OFFSET.get(path.name[:4], ())]
    for chain in chains:
        for segment in chain.uniprot_segments:
            if segment.auth_start is not None:
                assert segment.auth_start in stated[chain.auth_asym_id]


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_a_legacy_copy_reads_the_same(path: Path) -> None:
    structure = gemmi.make_structure_from_block(gemmi_block(path))
    structure.setup_entities()
    mine = {chain.auth_asym_id: chain for chain in chains_of(path).values()}
    names = [chain.name for chain in structure[0]]
    if any(len(name) != 1 for name in names) or len(mine) < len(chains_of(path)):
        pytest.skip("the chains' names do not fit the legacy format, or stand for several chains")
    copy = read_entry(structure.make_pdb_string().encode(), 10**9)
    theirs = {chain.auth_asym_id: chain for chain in built("entry", copy).values()}
    for name, chain in mine.items():
        if not chain.resolved.any():
            continue  # gemmi writes no SEQRES without atoms
        assert theirs[name].sequence == chain.sequence
        np.testing.assert_array_equal(theirs[name].resolved, chain.resolved)
        np.testing.assert_allclose(theirs[name].coordinates, chain.coordinates, atol=2e-3)
        ours, other = ([s.auth_start for s in c.uniprot_segments] for c in (chain, theirs[name]))
        assert path.name[:4] in OFFSET or None in ours or ours == other
    assert copy.header.models == next(iter(mine.values())).models if mine else True


ELSEWHERE = {"1grm": {"A", "B"}, "2p0r": {"AB"}, "7qpd": {"B"}}
"""Chains with a residue that another place or none suits as well: an ethanolamine, a single residue, a gap bridged."""


@pytest.mark.parametrize("path", MMCIF, ids=lambda path: path.name.split(".")[0])
def test_supplied_sequences_stand_in_for_seqres(path: Path) -> None:
    declared = chains_of(path)
    block = gemmi_block(path)
    if not block.find_values("_entity_poly_seq.num"):
        pytest.skip("the file has no SEQRES")
    for category in ("_entity_poly_seq.", "_entity_poly.", "_pdbx_poly_seq_scheme."):
        block.find_mmcif_category(category).erase()
    entry = read_entry(gemmi_document(block), 10**9)
    sequences = {chain.id: chain.sequence for chain in declared.values()}
    supplied = with_supplied("entry", entry, sequences, 10**5)
    assert not supplied.disagreeing
    for chain in built("entry", supplied.entry).values():
        if chain.label_asym_id in declared and chain.label_asym_id not in ELSEWHERE.get(path.name[:4], ()):
            assert chain.sequence == declared[chain.label_asym_id].sequence
            np.testing.assert_array_equal(chain.resolved, declared[chain.label_asym_id].resolved)


def gemmi_document(block: gemmi.cif.Block) -> bytes:
    document = gemmi.cif.Document()
    document.add_copied_block(block)
    return document.as_string().encode()
