"""Sequences from files and from UniProtKB."""

import gzip
from datetime import date

import pytest
from pydantic import ValidationError
from services import UniprotService, active, inactive
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.sequences import fetch_sequences
from foldgraft.fetch.settings import SequencesSettings
from foldgraft.records import lock as lock_records
from foldgraft.records.fasta import read_fasta
from foldgraft.records.tables import read_rows

P53, HBA, INS = active("P04637", "MEEPQSD"), active("P69905", "MVLSPADK"), active("P01308", "MALWMRL")


@pytest.fixture
def run(tmp_path, store, settings):
    def fetch(refreshed_after=None, replay=None, **values):
        fasta, lock = tmp_path / "out.fasta.gz", tmp_path / "out.parquet"
        manners = settings.model_copy(update={"refreshed_after": refreshed_after})
        sequences = SequencesSettings.model_validate(values)
        fetch_sequences(sequences, Origin(tmp_path, store, manners, replay), fasta, lock)
        found = {record.id: record.sequence for record in read_fasta(fasta)}
        return found, list(read_rows(lock, lock_records.SCHEMA))

    return fetch


@pytest.fixture
def service(httpserver):
    return UniprotService(httpserver, P53, HBA, INS)


def told(rows):
    return [(row["id"], row["status"], row["reason"]) for row in rows]


def test_files_are_merged_under_bare_ids(tmp_path, store, run):
    (tmp_path / "a.fasta.gz").write_bytes(gzip.compress(b">x one\nMKVJ*\n>y\nmkl\n"))
    (tmp_path / "b.fasta").write_text(">y two\nMKL\n>z\nMK\n")
    found, rows = run(files=["*.fasta*"])
    assert found == {"x": "MKVX", "y": "MKL", "z": "MK"}
    assert [(row["url"], row["status"]) for row in rows] == [("a.fasta.gz", "stored"), ("b.fasta", "stored")]
    assert all(row["shard"] == "sequences" for row in rows)
    assert all(store.holds(row["sha256"]) for row in rows)


def test_a_record_of_dna_among_proteins_is_a_rejected_row(tmp_path, run, capsys):
    (tmp_path / "a.fasta").write_text(f">p\nMKV\n>gene\n{'GATC' * 10}\n>peptide\nGATCNGATNC\n>q\nMKL\n")
    found, rows = run(files=["*.fasta"])
    assert found == {"p": "MKV", "peptide": "GATCNGATNC", "q": "MKL"}
    reason = "letters of DNA or RNA alone; translate it first"
    assert told(rows) == [("a.fasta", "stored", None), ("gene", "rejected", reason)]
    assert f"a.fasta (gene): {reason}" in capsys.readouterr().err
    (tmp_path / "out.parquet").rename(tmp_path / "lock.parquet")
    (tmp_path / "a.fasta").unlink()
    assert run(files=["*.fasta"], replay=tmp_path / "lock.parquet") == (found, rows)


def test_a_file_of_dna_is_refused(tmp_path, run):
    (tmp_path / "a.fasta").write_text(f">p\nMKV\n>g\n{'GATC' * 10}\n>h\n{'GATC' * 11}\n")
    with pytest.raises(FoldgraftError, match=r"a\.fasta \(g\): letters of DNA"):
        run(files=["*.fasta"])


def test_a_limit_takes_some(tmp_path, run):
    (tmp_path / "a.fasta").write_text("".join(f">p{k}\nMKV\n" for k in range(20)))
    found, _ = run(files=["*.fasta"], limit=5)
    assert len(found) == 5


def test_accessions_come_in_batches_and_the_missing_is_asked_for_by_itself(service, run, store, capsys):
    found, rows = run(uniprot={"accessions": ["P69905", "Q99999", "P04637"]})
    assert found == {"P69905": "MVLSPADK", "P04637": "MEEPQSD"}
    assert told(rows) == [
        ("P69905", "stored", None),
        ("Q99999", "rejected", "HTTP 404 (not found)"),
        ("P04637", "stored", None),
    ]
    assert service.asked == ["accessions", "Q99999.json"]
    assert {rows[0][key] for key in ("release", "revision")} == {"2026_02, 10-June-2026", "7"}
    assert rows[0]["url"].endswith("&format=json&size=500")
    assert store.holds(rows[0]["sha256"])
    assert "Q99999: HTTP 404 (not found)\n" in capsys.readouterr().err


def test_an_accession_given_twice_is_one_row(service, run):
    service.entries["Q15086"] = inactive("Q15086", "MERGED", "P04637")
    found, rows = run(uniprot={"accessions": ["P69905", "Q15086", "p69905", "Q15086"]})
    assert list(found) == ["P69905", "P04637"]
    assert [row["id"] for row in rows] == ["P69905", "Q15086", "P04637"]
    assert service.asked.count("Q15086.json") == 1


def test_withdrawn_entries_are_followed(service, run):
    service.entries |= {
        "Q15086": inactive("Q15086", "MERGED", "P04637"),
        "P00001": inactive("P00001", "DEMERGED", "P99999", "P99998"),
        "P99999": active("P99999", "MGDVEK"),
        "P99998": inactive("P99998", "MERGED", "Q00001"),
        "Q00001": active("Q00001", "MGDAEK"),
        "A0A008APQ8": inactive("A0A008APQ8", "DELETED", why="Redundant proteome"),
        "P69905": {**HBA, "secondaryAccessions": ["P01922"]},
    }
    found, rows = run(uniprot={"accessions": ["Q15086", "P00001", "A0A008APQ8", "P01922"]})
    assert found == {"P04637": "MEEPQSD", "P99999": "MGDVEK", "Q00001": "MGDAEK", "P69905": "MVLSPADK"}
    assert told(rows) == [
        ("Q15086", "replaced", "now P04637"),
        ("P04637", "stored", "successor of Q15086"),
        ("P00001", "replaced", "demerged into P99999, P99998"),
        ("P99999", "stored", "successor of P00001"),
        ("Q00001", "stored", "successor of P00001"),
        ("A0A008APQ8", "rejected", "deleted (Redundant proteome) by UniProtKB; its sequence is UniParc UPI000012A072"),
        ("P01922", "replaced", "now P69905"),
        ("P69905", "stored", "successor of P01922"),
    ]
    assert all(row["sha256"] is None for row in rows if row["status"] == "replaced")


def test_a_successor_that_is_asked_for_itself_is_not_doubled(service, run):
    service.entries |= {
        "Q15086": inactive("Q15086", "MERGED", "P04637"),
        "Q16535": inactive("Q16535", "MERGED", "P04637"),
    }
    found, rows = run(uniprot={"accessions": ["Q15086", "P04637", "Q16535"]})
    assert found == {"P04637": "MEEPQSD"}
    assert told(rows) == [
        ("Q15086", "replaced", "now P04637"),
        ("P04637", "stored", None),
        ("Q16535", "replaced", "now P04637"),
    ]


def test_a_successor_of_two_comes_once(service, run):
    service.entries |= {name: inactive(name, "MERGED", "P04637") for name in ("Q15086", "Q16535")}
    _, rows = run(uniprot={"accessions": ["Q15086", "Q16535"]})
    assert [row["id"] for row in rows] == ["Q15086", "P04637", "Q16535"]
    service.asked.clear()
    assert told(run(uniprot={"accessions": ["P04637"]})[1]) == [("P04637", "stored", None)]
    assert service.asked == []


def test_successors_in_a_circle_and_successors_that_are_gone(service, run):
    service.entries |= {
        "P00001": inactive("P00001", "DEMERGED", "P00002"),
        "P00002": inactive("P00002", "DEMERGED", "P00001"),
        "P00003": inactive("P00003", "DEMERGED", "P00004"),
        "P00004": inactive("P00004", "DELETED"),
    }
    found, rows = run(uniprot={"accessions": ["P00001", "P00003", "P69905"]})
    assert found == {"P69905": "MVLSPADK"}
    assert told(rows) == [
        ("P00001", "rejected", "demerged into P00002, of which none could be had"),
        ("P00003", "rejected", "demerged into P00004, of which none could be had"),
        (
            "P00004",
            "rejected",
            "successor of P00003: deleted by UniProtKB; its sequence is UniParc UPI000012A072",
        ),
        ("P69905", "stored", None),
    ]


def test_an_entry_with_very_many_successors(service, run, monkeypatch):
    monkeypatch.setattr("foldgraft.fetch.sequences.MOST_SUCCESSORS", 2)
    service.entries["P00001"] = inactive("P00001", "DEMERGED", "P69905", "P04637", "P01308")
    found, rows = run(uniprot={"accessions": ["P00001"]})
    assert list(found) == ["P69905", "P04637"]
    assert told(rows)[-1][:2] == ("P01308", "rejected")
    assert "P00001 leads to more than 2 entries" in rows[-1]["reason"]


def test_a_wrong_checksum_is_retried_and_then_rejected(service, run):
    service.spoilt |= {"P69905": 2, "P04637": 99}
    found, rows = run(uniprot={"accessions": ["P69905", "P04637", "P01308"]})
    assert found == {"P69905": "MVLSPADK", "P01308": "MALWMRL"}
    assert told(rows) == [
        ("P69905", "stored", None),
        (
            "P04637",
            "rejected",
            "P04637: the sequence does not have the md5 stated beside it; --forcerun fetch_sequences tries again",
        ),
        ("P01308", "stored", None),
    ]
    assert service.asked == ["accessions", *["P69905.json"] * 2, *["P04637.json"] * 3]


def test_a_service_that_fails_for_a_batch_rejects_it_without_asking_one_by_one(service, run, tmp_path):
    (tmp_path / "a.fasta").write_text(">x\nMKV\n")
    service.interrupted["accessions"] = [Response("", status=503)] * 3
    _, rows = run(files=["a.fasta"], uniprot={"accessions": ["P69905", "P04637"]})
    reason = "HTTP 503; --forcerun fetch_sequences tries again"
    assert told(rows)[1:] == [("P69905", "rejected", reason), ("P04637", "rejected", reason)]
    assert service.asked == ["accessions"] * 3


def test_another_run_asks_only_for_what_is_new(service, run):
    first, rows = run(uniprot={"accessions": ["P69905", "P04637"]})
    service.asked.clear()
    again, same = run(uniprot={"accessions": ["P69905", "P04637"]})
    assert (again, same, service.asked) == (first, rows, [])
    more, mixed = run(uniprot={"accessions": ["P69905", "P01308", "P04637"]})
    assert service.asked == ["accessions"]
    assert list(more) == ["P69905", "P01308", "P04637"]
    assert [mixed[0], mixed[2]] == rows


def test_a_refresh_asks_again_only_after_a_new_release(service, run):
    _, rows = run(uniprot={"accessions": ["P69905", "P04637"]})
    service.asked.clear()
    assert run(date(2000, 1, 1), uniprot={"accessions": ["P69905", "P04637"]})[1] == rows
    assert service.asked == []
    assert run(date(9999, 1, 1), uniprot={"accessions": ["P69905", "P04637"]})[1] == rows
    assert service.asked == ["P69905.json"]
    service.release["X-UniProt-Release"] = "2026_03"
    service.entries["P04637"] = active("P04637", "MEEPQSDW", version=8)
    found, rows = run(date(9999, 1, 1), uniprot={"accessions": ["P69905", "P04637"]})
    assert found["P04637"] == "MEEPQSDW"
    assert [row["revision"] for row in rows] == ["7", "8"]


def test_a_query_takes_page_after_page(service, run, store):
    service.most = 2
    found, rows = run(uniprot={"query": "reviewed:true"})
    assert list(found) == ["P01308", "P04637", "P69905"]
    assert told(rows) == [("query-00000", "stored", None), ("query-00001", "stored", None)]
    run(uniprot={"query": "reviewed:true"})
    assert service.asked == ["search", "search 2"] * 2
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 2


def test_a_query_stops_where_the_limit_is_reached(service, run):
    service.most = 2
    found, _ = run(uniprot={"query": "reviewed:true"}, limit=2)
    assert len(found) == 2
    assert service.asked == ["search"]


def test_a_query_that_breaks_off_is_an_error(service, run, tmp_path):
    service.most = 2
    service.link = lambda url: url.replace("/search", "/lost")
    with pytest.raises(FoldgraftError, match="failed after 2 sequences: HTTP 400"):
        run(uniprot={"query": "reviewed:true"})
    assert not (tmp_path / "out.fasta.gz").exists()
    assert not (tmp_path / "out.parquet").exists()


def test_nothing_found_at_all_is_an_error(service, run):
    with pytest.raises(FoldgraftError, match="nothing was found"):
        run(uniprot={"accessions": ["Q99999"]})


def test_a_replay_gives_the_same_bytes_without_network_and_files(service, run, store, tmp_path, httpserver):
    (tmp_path / "a.fasta").write_text(">x\nMKV\n>y\nMKL\n")
    service.most = 2
    service.entries["Q15086"] = inactive("Q15086", "MERGED", "P04637")
    values = {"files": ["*.fasta"], "uniprot": {"accessions": ["P69905", "Q99999", "Q15086"], "query": "x"}, "limit": 4}
    run(**values)
    before = [(tmp_path / name).read_bytes() for name in ("out.fasta.gz", "out.parquet")]
    lock = (tmp_path / "out.parquet").rename(tmp_path / "earlier.parquet")
    (tmp_path / "a.fasta").unlink()
    service.asked.clear()
    run(replay=lock, **values)
    assert [(tmp_path / name).read_bytes() for name in ("out.fasta.gz", "out.parquet")] == before
    assert service.asked == []


def test_a_replay_names_the_entry_whose_file_is_gone(service, run, store, tmp_path):
    values = {"uniprot": {"accessions": ["P69905"]}}
    _, rows = run(**values)
    (store.root / rows[0]["sha256"][:2] / rows[0]["sha256"]).unlink()
    with pytest.raises(FoldgraftError, match=r"P69905.*lacks its file"):
        run(replay=tmp_path / "out.parquet", **values)


def test_an_isoform_is_refused_with_advice():
    with pytest.raises(ValidationError, match="P04637-2 is an isoform; write the entry P04637, or give its sequence"):
        SequencesSettings.model_validate({"uniprot": {"accessions": ["P04637-2"]}})
