"""Sequences from files and from UniProtKB."""

import gzip

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import FinalError
from foldgraft.fetch.sequences import fetch_sequences, parse_fasta
from foldgraft.fetch.settings import SequencesSettings
from foldgraft.records import lock as lock_records
from foldgraft.records.fasta import read_fasta
from foldgraft.records.tables import read_rows


@pytest.fixture
def run(tmp_path, store, settings):
    def fetch(**values):
        fasta, lock = tmp_path / "out.fasta.gz", tmp_path / "out.parquet"
        fetch_sequences(SequencesSettings.model_validate(values), tmp_path, store.root, fasta, lock, settings)
        found = {record.id: record.sequence for record in read_fasta(fasta)}
        return found, list(read_rows(lock, lock_records.SCHEMA))

    return fetch


def uniprot(name, sequence):
    return f">sp|{name}|SOME_NAME Description OS=Homo sapiens\n{sequence[:3]}\n{sequence[3:]}\n"


def test_files_are_merged_under_bare_ids(tmp_path, store, run):
    (tmp_path / "a.fasta.gz").write_bytes(gzip.compress(b">x one\nMKVJ*\n>y\nmkl\n"))
    (tmp_path / "b.fasta").write_text(">y two\nMKL\n>z\nMK\n")
    found, rows = run(files=["*.fasta*"])
    assert found == {"x": "MKVX", "y": "MKL", "z": "MK"}
    assert [(row["url"], row["status"]) for row in rows] == [("a.fasta.gz", "stored"), ("b.fasta", "stored")]
    assert all(store.holds(row["sha256"]) for row in rows)


def test_a_limit_takes_some(tmp_path, run):
    (tmp_path / "a.fasta").write_text("".join(f">p{k}\nMKV\n" for k in range(20)))
    found, _ = run(files=["*.fasta"], limit=5)
    assert len(found) == 5


def test_accessions_come_in_batches_and_the_missing_is_rejected(httpserver, run, store):
    body = uniprot("P69905", "MVLSPADK") + uniprot("P04637", "MEEPQSD")
    answer = Response(body, headers={"X-UniProt-Release": "2026_02"})
    httpserver.expect_request("/uniprotkb/accessions").respond_with_response(answer)
    found, rows = run(uniprot={"accessions": ["P69905", "P04637", "Q99999"]})
    assert found == {"P69905": "MVLSPADK", "P04637": "MEEPQSD"}
    assert [(row["id"], row["status"], row["release"]) for row in rows] == [
        ("P69905", "stored", "2026_02"),
        ("P04637", "stored", "2026_02"),
        ("Q99999", "rejected", None),
    ]
    assert "no such entry" in rows[2]["reason"]
    request, _ = httpserver.log[0]
    assert request.args["accessions"] == "P69905,P04637,Q99999"
    assert store.holds(rows[0]["sha256"])


def test_a_query_follows_the_link_to_the_next_page(httpserver, run):
    following = httpserver.url_for("/uniprotkb/search") + "?cursor=abc&size=500"
    second = Response(uniprot("P04637", "MEEPQSD"))
    first = Response(uniprot("P69905", "MVLSPADK"), headers={"Link": f'<{following}>; rel="next"'})
    httpserver.expect_request("/uniprotkb/search", query_string="cursor=abc&size=500").respond_with_response(second)
    httpserver.expect_request("/uniprotkb/search").respond_with_response(first)
    found, rows = run(uniprot={"query": "reviewed:true"})
    assert list(found) == ["P69905", "P04637"]
    assert [row["id"] for row in rows] == ["query-00000", "query-00001"]


def test_a_query_that_breaks_off_is_an_error(httpserver, run, tmp_path):
    following = httpserver.url_for("/uniprotkb/search") + "?cursor=abc"
    first = Response(uniprot("P69905", "MVLSPADK"), headers={"Link": f'<{following}>; rel="next"'})
    httpserver.expect_request("/uniprotkb/search", query_string="cursor=abc").respond_with_data("", status=500)
    httpserver.expect_request("/uniprotkb/search").respond_with_response(first)
    with pytest.raises(FoldgraftError, match="failed after 1 sequences: HTTP 500"):
        run(uniprot={"query": "reviewed:true"})
    assert not (tmp_path / "out.fasta.gz").exists()


def test_nothing_found_at_all_is_an_error(httpserver, run):
    httpserver.expect_request("/uniprotkb/accessions").respond_with_data("")
    with pytest.raises(FoldgraftError, match="nothing was found"):
        run(uniprot={"accessions": ["P69905"]})


@pytest.mark.parametrize("text", ["<html></html>", ">no accession\nMKV\n"])
def test_an_answer_that_is_no_uniprot_fasta(text):
    with pytest.raises(FinalError):
        parse_fasta(text)
