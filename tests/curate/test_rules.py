"""Every rule that drops something, on a file made for it: its reason is what the file shows.

`fetch` and `repeated` need several files or the lock and are in test_shard.py, as is `store`.
"""

import ast
import gzip
import re
from pathlib import Path

import pytest

import foldgraft.curate
from foldgraft.curate.structure_file import Extra
from foldgraft.residues import ONE_TO_THREE

SEQUENCE = "MKVLAAGIVGMKVLAAGIVGWW"
SEQRES = {"1": [ONE_TO_THREE[one] for one in SEQUENCE]}
ELSEWHERE = {"fetch", "repeated", "store", "unreadable"}
"""Rules tested in test_shard.py; and the last resort, for which there must be no file (test_fuzz.py)."""
SOURCE = Path(foldgraft.curate.__file__).parent
MANUAL = Path(__file__).parents[2] / "docs/curation.md"


def atoms(make, **more):
    return make.chain(SEQUENCE, **more)


def without_ca(make, **more):
    return [a for a in make.chain(SEQUENCE, **more) if a.name != "CA"]


def broken_ca(make):
    made = make.chain(SEQUENCE)
    for a in made:
        a.xyz = ("?", "?", "?") if a.name == "CA" else a.xyz
    return made


def empty_ca(make):
    made = make.chain(SEQUENCE)
    for a in made:
        a.occ = 0.0 if a.name == "CA" else 1.0
    return made


def pqr(make):
    lines = make.pdb(make.chain(SEQUENCE)).decode().splitlines()
    return "\n".join(
        line[:54] + f" {-0.4157:7.4f} {1.8240:6.4f}" if line.startswith("ATOM") else line for line in lines
    )


def two_blocks(make):
    return make.mmcif(atoms(make), SEQRES) + make.mmcif(atoms(make), SEQRES).replace(b"data_TEST", b"data_OTHER")


def head(text):
    return lambda make: make.mmcif(atoms(make), SEQRES, extra=text)


DNA = {"types": {"1": "polydeoxyribonucleotide"}}
NMR = "_exptl.method 'SOLUTION NMR'\n_pdbx_audit_revision_history.revision_date 2015-06-01\n#"
DULL = "_refine.ls_d_res_high 3.20\n#"

CASES = {
    "empty": (lambda make: b"", {}, "", "the file is empty"),
    "not_a_structure": (lambda make: b"<html>", {}, "", "neither mmCIF nor PDB"),
    "gzip": (lambda make: gzip.compress(b"data_x" * 99)[:-9], {}, "", "cut short"),
    "too_large": (lambda make: b"#" * 1_000_001, {"max_decompressed_mb": 1}, "1000001", "larger than 1000000 bytes"),
    "syntax": (lambda make: make.mmcif(atoms(make), SEQRES)[:-90], {}, None, "no valid mmCIF, or cut short"),
    "no_atoms": (lambda make: b"data_x\n_cell.length_a 1\n", {}, "", "no _atom_site coordinates"),
    "no_atoms of PDB": (
        lambda make: make.pdb([make.atom("CA", "ALA", 1, ("nan", "nan", "nan"))]),
        {},
        "",
        "no atom record has numbers in columns 31 to 54",
    ),
    "pqr": (pqr, {}, "", "the file is PQR"),
    "pqr in words": (lambda make: "ATOM 1 N MET A 1 1.0 2.0 3.0 -0.4 1.8\n", {}, "", "the file is PQR"),
    "data_block": (two_blocks, {}, "OTHER", "of which the first is read"),
    "methods": (head(NMR), {"methods": ["X-RAY DIFFRACTION"]}, "SOLUTION NMR", "not among those wanted"),
    "max_resolution": (head(DULL), {"max_resolution": 2}, "3.2", "worse than 2 angstrom"),
    "max_resolution unstated": (head(NMR), {"max_resolution": 2}, "", "states no resolution"),
    "released_before": (head(NMR), {"released_before": "2015-06-01"}, "2015-06-01", "on or after 2015-06-01"),
    "released_after": (head(NMR), {"released_after": "2015-06-02"}, "2015-06-01", "before 2015-06-02"),
    "released_after unstated": (head(DULL), {"released_after": "2015-06-02"}, "", "states no release date"),
    "no_protein": (
        lambda make: make.mmcif([make.atom("P", "DA", 1)], {"1": ["DA"]}, **DNA),
        {},
        "polydeoxyribonucleotide",
        "no L-polypeptide chain",
    ),
    "seqres": (
        lambda make: make.mmcif(atoms(make), {"1": [ONE_TO_THREE[one] for one in "DEQNHTRPYF" * 3]}),
        {},
        None,
        "less than 0.5 of the model's residues agree with the chain's SEQRES",
    ),
    "sequences": (
        lambda make: make.pdb(atoms(make)),
        {"_": "DEQNHTRPYF" * 3},
        None,
        "agree with the sequence supplied",
    ),
    "left_out": (lambda make: make.pdb(atoms(make)), {"_": SEQUENCE[2:]}, "2", "without a place .*: 1, 2$"),
    "chain_name": (lambda make: make.mmcif(atoms(make, asym="<b>"), SEQRES), {}, "", "<b>"),
    "unknown": (
        lambda make: make.mmcif([a for k in range(1, 9) for a in make.backbone("UNK", k)], {"1": ["UNK"] * 8}),
        {},
        "8",
        "no residue of the chain is known",
    ),
    "min_length": (lambda make: make.pdb(atoms(make)), {"min_length": 23}, "22", "shorter than 23"),
    "max_length": (lambda make: make.pdb(atoms(make)), {"max_length": 21}, "22", "longer than 21"),
    "min_resolved": (
        lambda make: make.mmcif(atoms(make)[:48], SEQRES),
        {"min_resolved": 0.5},
        "0.455",
        "less than 0.5 of the residues have a CA",
    ),
    "min_plddt": (head("_ma_data.id 1\n#"), {"min_plddt": 70}, "20.0", "mean pLDDT below 70"),
    "min_plddt unknown": (lambda make: make.pdb(atoms(make)), {"min_plddt": 70}, "", "it cannot be known"),
    "no_coordinates absent": (
        lambda make: make.mmcif(atoms(make), SEQRES, asyms={"A": "1", "B": "1"}),
        {},
        "absent",
        "the model has no atom of the chain",
    ),
    "no_coordinates no_ca": (
        lambda make: make.mmcif(without_ca(make), SEQRES),
        {},
        "no_ca",
        "no residue of the chain has a CA",
    ),
    "no_coordinates zero_occupancy": (
        lambda make: make.mmcif(empty_ca(make), SEQRES),
        {},
        "zero_occupancy",
        "all CA of the chain have an occupancy of zero",
    ),
    "no_coordinates no_coordinate": (
        lambda make: make.mmcif(broken_ca(make), SEQRES),
        {},
        "no_coordinate",
        "the coordinates of all CA of the chain are no numbers",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_what_the_file_shows(make, curate_bytes, case):
    content, settings, value, reason = CASES[case]
    content = content(make)
    extra = Extra(sequences={"x": settings["_"]}) if "_" in settings else Extra()
    result = curate_bytes(
        content.encode() if isinstance(content, str) else content,
        extra,
        **{key: limit for key, limit in settings.items() if key != "_"},
    )
    (reject,) = result.rejects
    assert reject.rule == case.split()[0]
    assert value is None or reject.value == value
    assert re.search(reason, reject.reason)


def test_every_rule_of_the_source_is_tested_and_in_the_manual():
    called = [
        node
        for path in SOURCE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    at = {"Drop": 0, "UnreadableError": 0, "Reject": 1}
    rules = {
        node.args[at[node.func.id]].value
        for node in called
        if node.func.id in at and isinstance(node.args[at[node.func.id]], ast.Constant)
    }
    named = {case.split()[0] for case in CASES} | ELSEWHERE
    assert rules <= named
    assert named - rules <= {"released_before", "released_after"}  # named by a variable
    listed = re.findall(r"^\| `([a-z_]+)` \|", MANUAL.read_text(), re.MULTILINE)
    assert named <= set(listed)
