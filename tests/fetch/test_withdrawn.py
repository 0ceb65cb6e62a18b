"""Withdrawn entries, against an imitation of the holdings service and its files."""

import re
from itertools import pairwise

import pytest

from foldgraft.fetch.inputs import Item
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.structures import bring
from foldgraft.fetch.withdrawn import GENERATIONS
from foldgraft.records.lock import SCHEMA
from foldgraft.records.tables import read_rows


@pytest.fixture
def archive(httpserver, cif):
    """Files of some entries, and what the holdings service says of others; all else is 404."""

    def make(present, removed):
        for entry in present:
            httpserver.expect_request(f"/download/{entry}.cif.gz").respond_with_data(cif(entry.upper()))
        for entry, successors in removed.items():
            about = {"remove_date": "1984-07-18T00:00:00+0000", "details": "Wrong  space\ngroup."}
            about |= {"id_codes_replaced_by": [name.upper() for name in successors]} if successors else {}
            answer = {"rcsb_id": entry.upper(), "rcsb_repository_holdings_removed": about}
            httpserver.expect_request(f"/data/rest/v1/holdings/removed/{entry.upper()}").respond_with_json(answer)
        httpserver.expect_request(re.compile("/(download|data)/.*")).respond_with_data("", status=404)

    return make


@pytest.fixture
def rows(tmp_path, store, settings):
    """Fetch a shard of entries; returns (id, status, reason) of its rows."""

    def fetched(*entries, named=()):
        items = [Item("rcsb", entry, entry) for entry in entries]
        named = {*entries, *named}
        bring(items, "rcsb-00000", Origin(tmp_path, store, settings), tmp_path / "lock.parquet", named)
        found = list(read_rows(tmp_path / "lock.parquet", SCHEMA))
        assert {row["shard"] for row in found} == {"rcsb-00000"}
        assert all((row["sha256"] is not None) == (row["status"] == "stored") for row in found)
        return [(row["id"], row["status"], row["reason"]) for row in found]

    return fetched


def test_one_successor_is_taken(archive, rows):
    archive(["5uoj", "1ubq"], {"1p38": ["5uoj"]})
    assert rows("1p38", "1ubq") == [
        ("1p38", "replaced", "withdrawn 1984-07-18, replaced by 5uoj"),
        ("5uoj", "stored", "successor of 1p38"),
        ("1ubq", "stored", None),
    ]


def test_several_successors_are_all_taken_and_said(archive, rows, capsys):
    archive(["2hhb", "3hhb", "4hhb"], {"1hhb": ["2hhb", "3hhb", "4hhb"]})
    found = rows("1hhb")
    assert [(name, status) for name, status, _ in found] == [
        ("1hhb", "replaced"),
        *((name, "stored") for name in ("2hhb", "3hhb", "4hhb")),
    ]
    assert "1hhb: withdrawn 1984-07-18, replaced by 2hhb, 3hhb, 4hhb" in capsys.readouterr().err


def test_replacements_are_followed_to_the_end(archive, rows):
    archive(["3abc"], {"1abc": ["2abc"], "2abc": ["3abc"]})
    assert rows("1abc") == [
        ("1abc", "replaced", "withdrawn 1984-07-18, replaced by 2abc"),
        ("2abc", "replaced", "successor of 1abc; withdrawn 1984-07-18, replaced by 3abc"),
        ("3abc", "stored", "successor of 2abc"),
    ]


def test_an_entry_without_a_successor_says_when_and_why(archive, rows):
    archive([], {"8fg2": []})
    (row,) = rows("8fg2")
    assert row == ("8fg2", "rejected", "withdrawn 1984-07-18 without a successor: Wrong space group.")


def test_an_entry_that_never_was_is_rejected(archive, rows):
    archive([], {})
    assert rows("9zzz") == [("9zzz", "rejected", "HTTP 404 (not found), and the PDB knows of no withdrawal")]


def test_a_successor_is_taken_once(archive, rows):
    archive(["4hhb", "1ubq"], {"1hhb": ["4hhb", "1ubq"], "1gbu": ["4hhb"]})
    assert rows("1hhb", "1gbu", "1ubq", named=["9hhb"]) == [
        ("1hhb", "replaced", "withdrawn 1984-07-18, replaced by 4hhb, 1ubq; 1ubq comes into the run by itself"),
        ("4hhb", "stored", "successor of 1hhb"),
        ("1gbu", "replaced", "withdrawn 1984-07-18, replaced by 4hhb; 4hhb comes into the run by itself"),
        ("1ubq", "stored", None),
    ]


def test_a_successor_that_the_configuration_names_elsewhere_is_left_to_it(archive, rows):
    archive(["4hhb"], {"1hhb": ["4hhb"]})
    (row,) = rows("1hhb", named=["4hhb"])
    assert row[1:] == ("replaced", "withdrawn 1984-07-18, replaced by 4hhb; 4hhb comes into the run by itself")


def test_a_circle_ends_as_a_reject(archive, rows):
    archive([], {"1abc": ["2abc"], "2abc": ["1abc"]})
    first, second = rows("1abc")
    assert first[1] == "replaced"
    assert second[1:] == ("rejected", "withdrawn 1984-07-18, replaced by 1abc, which it replaced itself")


def test_a_chain_without_an_end_is_cut(archive, rows):
    names = [f"1a{k:02d}" for k in range(GENERATIONS + 3)]
    archive([], {name: [following] for name, following in pairwise(names)})
    found = rows(names[0])
    assert [row[1] for row in found] == ["replaced"] * GENERATIONS + ["rejected"]
    assert f"not followed further than {GENERATIONS} generations" in found[-1][2]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"rcsb_id": "1ABC"},
        {"rcsb_id": "2ABC", "rcsb_repository_holdings_removed": {}},
        {"rcsb_id": "1ABC", "rcsb_repository_holdings_removed": {"id_codes_replaced_by": ["../x"]}},
    ],
)
def test_an_answer_that_makes_no_sense_is_a_reject(httpserver, rows, answer):
    httpserver.expect_request("/data/rest/v1/holdings/removed/1ABC").respond_with_json(answer)
    httpserver.expect_request("/download/1abc.cif.gz").respond_with_data("", status=404)
    ((_, status, reason),) = rows("1abc")
    assert status == "rejected"
    assert "what the holdings service says of 1abc cannot be understood; --forcerun fetch_structures" in reason
