"""Small alignments from the wild, with their right answers (cases/README.md), through the commands that a run calls."""

from pathlib import Path

import gemmi
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft.evolution.a3m import parse_a3m
from foldgraft.evolution.columns import INSERTION
from foldgraft.msa.command import app
from foldgraft.msa.settings import AlignmentFiles, MsaSettings
from foldgraft.records.alignments import ALIGNMENTS
from foldgraft.records.files import sequence_sha256
from foldgraft.records.given import read_given
from foldgraft.records.tables import read_rows

CASES = Path(__file__).parent / "cases"
QUERY = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG"
PARTNER = "GSHMLEDPVDAFKLWGTRAEQK"
L_AT_4 = QUERY.replace("MKTA", "MKTL")
GAPPED = QUERY[:20] + "-----" + QUERY[25:]
INSERTED = QUERY[:10] + "aaa" + GAPPED[10:]
FOUR_M = "MMMMM" + QUERY[5:]
TAIL_V = QUERY[:30] + "V" * 20
HOMOLOGS = [L_AT_4, INSERTED, FOUR_M, TAIL_V]

RIGHT = {
    "a2m_dots.a2m": [INSERTED],
    "all_x_rows.a3m": [],
    "blank_lines.a3m": HOMOLOGS,
    "bom.a3m": HOMOLOGS,
    "colabfold_complex.a3m": [L_AT_4, FOUR_M],
    "colabfold_hash.a3m": HOMOLOGS,
    "colabfold_homodimer.a3m": HOMOLOGS,
    "colabfold_nul.a3m": HOMOLOGS,
    "consensus_first.a3m": HOMOLOGS,
    "cr_only.a3m": HOMOLOGS,
    "crlf.a3m": HOMOLOGS,
    "dots.a3m": [QUERY[:10] + "-----" + QUERY[15:]],
    "dup_query.a3m": HOMOLOGS,
    "empty_record.a3m": HOMOLOGS,
    "latin1.a3m": HOMOLOGS,
    "psicov.aln": [L_AT_4, GAPPED, FOUR_M, TAIL_V],
    "query_X.a3m": HOMOLOGS,
    "query_lower.a3m": [L_AT_4],
    "query_mutant.a3m": [QUERY.replace("IAKQ", "IAAQ"), *HOMOLOGS],
    "query_star.a3m": [L_AT_4],
    "ss_rows.a3m": HOMOLOGS,
    "stockholm.sto": [L_AT_4],
    "tabs.a3m": HOMOLOGS,
    "wrapped_spaces.a3m": HOMOLOGS,
}
"""The rows beside the chain itself."""

DROPPED = {"consensus_first.a3m": "1 annotation", "empty_record.a3m": "1 empty", "ss_rows.a3m": "3 annotation"}


def call(*arguments):
    CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def align(tmp_path, queried):
    """Runs `given` and `search` for chains with alignments of a folder; returns the account and the rows by id."""

    def go(chains: dict[str, str], pattern: str, data: Path = CASES, **settings):
        files = AlignmentFiles(files=[pattern], **settings)
        common = ("--data", data, "--settings", MsaSettings(alignments=files).model_dump_json())
        queries = queried(chains, "--given", tmp_path / "g", *common)
        call("database", "--database", tmp_path / "db", "--done", tmp_path / "done")
        table = tmp_path / "a.parquet"
        made = ("--database", tmp_path / "db", "--given", tmp_path / "g", "--alignments", table)
        call("search", *queries, *made, *common)
        found = {row["sequence_sha256"]: row for row in read_rows(table, ALIGNMENTS)}
        return read_given(tmp_path / "g"), {name: found[sequence_sha256(text)] for name, text in chains.items()}

    return go


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_small_alignment_comes_out_right(align, name):
    account, rows = align({"a": QUERY}, name)
    found = [row.text for row in parse_a3m(rows["a"]["a3m"])]
    assert found[0] == QUERY
    assert found[1:] == RIGHT[name]
    assert rows["a"]["source"] == name and rows["a"]["depth"] == len(found)
    (used,) = account.to_dict("records")
    assert used["used"] and used["reason"] == "" and used["chains"] == "a" and used["residues"] == 50
    assert used["dropped"] == DROPPED.get(name, "")
    assert rows["a"]["unusable"] == int(used["dropped"].split()[0] if used["dropped"] else 0)
    assert used["identity"] == (0.98 if name == "query_mutant.a3m" else 1)


def test_all_cases_of_the_folder_are_tested():
    assert {path.name for path in CASES.iterdir()} - {"README.md"} == set(RIGHT)


def test_a_complex_is_cut_for_each_of_its_chains(align):
    account, rows = align({"a": QUERY, "b": PARTNER, "fused": QUERY + PARTNER}, "colabfold_complex.a3m")
    assert set(account["chains"]) == {"a", "b", "fused"} and account["used"].all()
    assert [row.text for row in parse_a3m(rows["b"]["a3m"])] == [PARTNER]
    assert [row.text for row in parse_a3m(rows["fused"]["a3m"])][1:3] == [L_AT_4 + PARTNER, QUERY + "-" * 22]


def test_alignments_of_several_queries_are_kept_apart(align, tmp_path):
    (tmp_path / "two.a3m").write_bytes(f">1\n{QUERY}\n>h\n{L_AT_4}\n\0>2\n{PARTNER}\n>h\nW{PARTNER[1:]}\n\0".encode())
    _, rows = align({"a": QUERY, "b": PARTNER}, "two.a3m", tmp_path)
    assert (rows["a"]["source"], rows["b"]["source"]) == ("two.a3m#1", "two.a3m#2")
    assert parse_a3m(rows["b"]["a3m"])[1].text == "W" + PARTNER[1:]


def test_every_file_is_in_the_account_with_its_reason(align, tmp_path):
    other = "".join(reversed(QUERY))
    distant = "".join("W" if k % 6 == 0 else letter for k, letter in enumerate(QUERY))
    for name, text in {"deep": QUERY, "rival": L_AT_4, "stranger": other, "distant": distant}.items():
        (tmp_path / f"{name}.a3m").write_text(f">q\n{text}\n>h\n{text[:-1]}W\n")
    account, rows = align({"tagged": "MGSSHHHHHH" + QUERY, "again": "MGSSHHHHHH" + QUERY}, "*.a3m", tmp_path)
    lines = account.set_index("file")
    assert lines["used"].to_dict() == {
        "deep.a3m": True, "distant.a3m": False, "rival.a3m": False, "stranger.a3m": False
    }  # fmt: skip
    assert lines.loc["deep.a3m", "chains"] == "again tagged" and lines.loc["deep.a3m", "residues"] == 50
    assert lines.loc["rival.a3m", "reason"] == "deep.a3m fits this chain as well or better"
    assert lines.loc["stranger.a3m", "reason"] == "no chain of the run resembles any of its rows"
    assert lines.loc["distant.a3m", "reason"] == "the nearest chain is 82% identical, less than 90%"
    assert [row.text for row in parse_a3m(rows["tagged"]["a3m"])] == [
        "MGSSHHHHHH" + QUERY, "-" * 10 + QUERY[:-1] + "W"
    ]  # fmt: skip
    _, rows = align({"a": QUERY}, "distant.a3m", tmp_path, identity=0.8)
    assert rows["a"]["source"] == "distant.a3m"


def test_a_chain_with_an_insertion_and_a_loss_keeps_its_columns(align, tmp_path):
    family = [QUERY, L_AT_4, FOUR_M]
    (tmp_path / "f.a3m").write_text("".join(f">r{k}\n{text}\n" for k, text in enumerate(family)))
    chain = QUERY[:20] + "WWPWW" + QUERY[20:35] + QUERY[38:]  # five residues more, three fewer
    account, rows = align({"a": chain}, "f.a3m", tmp_path)
    assert account["residues"].tolist() == [47] and account["identity"].tolist() == [1.0]
    found = parse_a3m(rows["a"]["a3m"])
    assert all(len(row.text.translate(INSERTION)) == len(chain) for row in found)
    expected = L_AT_4[:20] + "-----" + L_AT_4[20:35] + L_AT_4[35:38].lower() + L_AT_4[38:]
    assert sorted(found[1].text.replace("-", "").upper()) == sorted(L_AT_4)
    assert sum(x != y for x, y in zip(found[1].text.upper().replace("-", ""), L_AT_4, strict=True)) == 0
    assert found[1].text.translate(INSERTION).count("-") == expected.translate(INSERTION).count("-") == 5


def test_depth_gaps_and_what_filters_dropped_are_told(align, tmp_path):
    texts = [QUERY, QUERY, L_AT_4, QUERY[:20] + "-" * 30, FOUR_M, "X" * 45 + "MKTAY"]
    (tmp_path / "f.a3m").write_text("".join(f">r{k}\n{text}\n" for k, text in enumerate(texts)))
    _, rows = align({"a": QUERY}, "f.a3m", tmp_path)
    row = rows["a"]
    told = {name: row[name] for name in ("found", "repeated", "short", "distant", "alike", "surplus", "depth")}
    assert told == {"found": 5, "repeated": 1, "short": 2, "distant": 0, "alike": 0, "surplus": 0, "depth": 3}
    np.testing.assert_array_equal(row["gaps"], np.zeros(50, np.float32))


@pytest.mark.real
def test_fifteen_deep_alignments_load_and_serve_their_structures(align, real_data):
    folder = real_data / "msa" / "deep_cases"
    table = pd.read_csv(folder.with_suffix(".csv"), keep_default_na=False)
    chains = {}
    for case, structure in zip(table["case"], table["structure"], strict=True):
        if structure:
            residues = [r for r in gemmi.read_structure(str(folder / structure))[0][0] if r.find_atom("CA", "*")]
            letters = (gemmi.find_tabulated_residue(residue.name).one_letter_code for residue in residues)
            chains[case] = "".join(letters).upper()
    for case, file in zip(table["case"], table["alignment"], strict=True):
        account, rows = align(chains, file, folder)
        mine = account[account["used"]]
        served = ", ".join(
            f"{name} {identity:.1%}" for name, identity in zip(mine["chains"], mine["identity"], strict=True)
        )
        print(f"{case:16} {account['format'].iloc[0]:9} {account['rows'].iloc[0]:6} rows; {served}")
        assert account["rows"].iloc[0] == int(table.set_index("case").loc[case, "aligned_sequences"])
        if case in chains:
            assert case in " ".join(mine["chains"]).split()
            assert rows[case]["source"] == file
