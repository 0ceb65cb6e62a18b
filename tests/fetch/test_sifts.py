"""The table of SIFTS, from a server and from a file, to segments sorted by entry."""

import gzip
from datetime import date

import pandas as pd
import pyarrow.parquet as pq
import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.checks import check
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.settings import StructuresSettings
from foldgraft.fetch.sifts import fetch_sifts
from foldgraft.records import lock as lock_records
from foldgraft.records.sifts import Segment, read_segments
from foldgraft.records.tables import read_rows

HEADER = "PDB,CHAIN,SP_PRIMARY,RES_BEG,RES_END,PDB_BEG,PDB_END,SP_BEG,SP_END\n"
TABLE = (
    "# 2026/11/15 - 17:31 | PDB: 46.26 | UniProt: 2026.04\n"
    + HEADER
    + "2abc,NA,A0A024R1R8,1,40,1,None,1,40\n"
    + "2abc,A,P69905,101,140,52A,-5,201,240\n"
    + "2abc,A,P69905,1,90,,90,2,91\n"
    + "101m,A,P02185,1,154,0,153,1,154\n"
)


@pytest.fixture
def run(tmp_path, store, settings):
    def fetch(sifts, replay=None, **changes):
        table, lock = tmp_path / "sifts.parquet", tmp_path / "lock.parquet"
        origin = Origin(tmp_path, store, settings.model_copy(update=changes), replay)
        fetch_sifts(sifts, origin, table, lock)
        return table, list(read_rows(lock, lock_records.SCHEMA))

    return fetch


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.tsv.gz"])
def test_segments_are_sorted_and_strings_stay_strings(run, tmp_path, store, name):
    text = TABLE.replace(",", "\t") if "tsv" in name else TABLE.replace("\n", "\r\n")
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    table, rows = run(name)
    assert pq.read_table(table).column("entry").to_pylist() == ["101m", "2abc", "2abc", "2abc"]
    found = read_segments(table, ["2ABC"])
    assert found == {
        ("2abc", "A"): [
            Segment("P69905", 1, 90, None, "90", 2, 91),
            Segment("P69905", 101, 140, "52A", "-5", 201, 240),
        ],
        ("2abc", "NA"): [Segment("A0A024R1R8", 1, 40, "1", None, 1, 40)],
    }
    (row,) = rows
    assert (row["source"], row["id"], row["shard"], row["url"], row["reason"]) == ("files", name, "sifts", name, None)
    assert store.holds(row["sha256"])


def test_columns_are_found_by_name(run, tmp_path):
    (tmp_path / "s.csv").write_text(
        "SP_END,SP_BEG,PDB_END,PDB_BEG,RES_END,RES_BEG,SP_PRIMARY,CHAIN,PDB\n9,2,8,1,8,1,P69905,B,1abc"
    )
    table, _ = run("s.csv")
    assert read_segments(table, ["1abc"]) == {("1abc", "B"): [Segment("P69905", 1, 8, "1", "8", 2, 9)]}


def test_rows_that_make_no_sense_are_left_out_and_named(run, tmp_path, capsys):
    bad = [
        "1abc,A,P69905,1,x,1,9,1,9",
        "1abc,A,P69905,9,1,1,9,1,9",
        "1abc,A,P69905,0,9,1,9,1,9",
        "1abc,A,P69905,1,9,1,9,0,9",
        "1abc,A,nobody,1,9,1,9,1,9",
        "1abc,,P69905,1,9,1,9,1,9",
        "1abc,A,P69905,1,9,one,9,1,9",
        "1abc,A,P69905,1",
        "toolong,A,P69905,1,9,1,9,1,9",
        f"1abc,A,P69905,1,{2**31},1,9,1,9",
    ]
    good = "".join(f"1abc,C{k},P69905,1,9,1,9,1,9\n" for k in range(90))
    (tmp_path / "s.csv").write_text(HEADER + good + "\n".join(bad) + "\n")
    table, (row,) = run("s.csv")
    assert pq.read_metadata(table).num_rows == 90
    assert row["reason"] == f"10 rows left out; line 92 is no segment: '{bad[0]}'"
    log = capsys.readouterr().err
    assert all(f"line {92 + k} is no segment: {line!r}" in log for k, line in enumerate(bad))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column PDB"),
        (b"<html>\n</html>\n", "no column PDB, it begins with '<html>'"),
        (HEADER.replace(",SP_END", "").encode(), "no column SP_END"),
        (HEADER.encode(), "none is there"),
        (HEADER.encode() + b"1abc,A,P69905,1,9,1,9,1,9\nnonsense\n", "of 2 rows, 1 rows left out; line 3"),
        (gzip.compress(TABLE.encode())[:-12], "cut short"),
        (HEADER.encode() + b"x" * 20000, "line 2 is longer"),
        (HEADER.encode() + b"\xff\xfe\n", "line 2 is no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table(run, tmp_path, content, message):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(FoldgraftError, match=message):
        run("s.csv")
    assert not (tmp_path / "sifts.parquet").exists()


def test_a_bomb_is_defused(run, tmp_path):
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(HEADER.encode() + b"\n" * 3_000_000))
    with pytest.raises(FoldgraftError, match="decompresses to more than 2000000 bytes"):
        run("s.csv.gz", max_decompressed_mb=2)


def test_a_file_that_is_missing_stops_the_run_beforehand(tmp_path):
    with pytest.raises(FoldgraftError, match=r"structures\.sifts: there is no file .*s\.csv"):
        check(StructuresSettings(rcsb={"ids": ["1ubq"]}, sifts="s.csv"), None, {}, tmp_path)
    check(StructuresSettings(rcsb={"ids": ["1ubq"]}, sifts="download"), None, {}, tmp_path)


def test_the_table_is_downloaded_once_and_asked_for_again_when_it_may_have_changed(run, httpserver, store):
    asked = []
    state = {"body": gzip.compress(TABLE.encode()), "day": "Sun, 15 Nov 2026 17:31:00 GMT"}

    def serve(request):
        asked.append(request.headers.get("If-Modified-Since"))
        if asked[-1] == state["day"]:
            return Response(status=304)
        return Response(state["body"], headers={"Last-Modified": state["day"]})

    httpserver.expect_request("/sifts.csv.gz").respond_with_handler(serve)
    table, (row,) = run("download")
    assert (row["source"], row["id"], row["release"]) == ("sifts", "pdb_chain_uniprot", state["day"])
    before = table.read_bytes()
    run("download")
    assert asked == [None]
    table, (same,) = run("download", refreshed_after=date(9999, 1, 1))
    assert (asked, same) == ([None, state["day"]], row)
    assert table.read_bytes() == before
    state |= {
        "body": gzip.compress((TABLE + "9xyz,A,P69905,1,9,1,9,1,9\n").encode()),
        "day": "Sun, 22 Nov 2026 17:31:00 GMT",
    }
    table, (other,) = run("download", refreshed_after=date(9999, 1, 1))
    assert other["sha256"] != row["sha256"]
    assert list(read_segments(table, ["9xyz"])) == [("9xyz", "A")]


def test_a_download_that_is_a_web_page_or_cut_is_tried_again(run, httpserver):
    bad = [
        Response("<html>busy</html>", status=503, content_type="text/html"),
        Response("<html>busy</html>", content_type="text/plain"),
        Response(gzip.compress(TABLE.encode())[:-9]),
    ]
    good = Response(gzip.compress(TABLE.encode()))
    httpserver.expect_request("/sifts.csv.gz").respond_with_handler(lambda request: bad.pop() if bad else good)
    table, _ = run("download", retries=3)
    assert pq.read_metadata(table).num_rows == 4


def test_a_download_that_fails_for_good_is_an_error(run, httpserver):
    httpserver.expect_request("/sifts.csv.gz").respond_with_data("", status=404)
    with pytest.raises(FoldgraftError, match=r"structures\.sifts: .* cannot be downloaded: HTTP 404"):
        run("download")


def test_a_replay_gives_the_same_bytes(run, tmp_path):
    (tmp_path / "s.csv").write_text(TABLE)
    table, _ = run("s.csv")
    lock = (tmp_path / "lock.parquet").rename(tmp_path / "earlier.parquet")
    before = [table.read_bytes(), lock.read_bytes()]
    (tmp_path / "s.csv").unlink()
    run("s.csv", replay=lock)
    assert [table.read_bytes(), (tmp_path / "lock.parquet").read_bytes()] == before


@pytest.mark.real
def test_real_rows_are_those_that_pandas_reads(run, real_data, tmp_path):
    source = real_data / "api_samples/sifts_mock.tsv"
    (tmp_path / "s.tsv").write_bytes(source.read_bytes())
    table, _ = run("s.tsv")
    expected = pd.read_csv(source, sep="\t", comment="#", dtype=str, keep_default_na=False)
    expected = expected.sort_values(["PDB", "CHAIN"], kind="stable").values.tolist()
    got = [[str(value) for value in row.values()] for row in pq.read_table(table).to_pylist()]
    assert len(got) == 30
    assert got == expected
