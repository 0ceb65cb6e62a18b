"""ColabFold's MSA server, imitated: its states, its results, and what a broken one leads to."""

import fcntl
import gzip
import json
import tarfile
import threading
import tracemalloc

import pandas as pd
import pytest
from msa_service import ENVIRONMENT, MsaService, answer, archive
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch import colabfold
from foldgraft.fetch.client import PassingError
from foldgraft.fetch.colabfold import fetch_alignments, read_result
from foldgraft.fetch.origin import Origin
from foldgraft.records.alignments import QUERIES
from foldgraft.records.files import sequence_sha256
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import read_rows, write_frame

ONE, TWO = "MKTAYIAKQRQISFVKSHFS", "GSHMLEDPVDAFKLWGTRAE"
HOMOLOGS = {
    ONE: ([ONE.replace("MKT", "MRT"), ONE[:5] + "gg" + ONE[5:]], ["-" + ONE[1:]]),
    TWO: ([], []),
}


@pytest.fixture
def service(httpserver):
    return MsaService(httpserver, HOMOLOGS)


@pytest.fixture
def fetched(httpserver, settings_for, store, tmp_path, monkeypatch):
    """Fetches the alignments of chains, by id; returns the rows of the lock by id."""
    monkeypatch.setattr(colabfold, "POLL", (0.001, 0.002))
    base = httpserver.url_for("").rstrip("/")

    def run(chains: dict[str, str], given: tuple[str, ...] = (), **more):
        frame = pd.DataFrame({"id": list(chains), "sequence": list(chains.values())}).assign(shard="files-00000")
        frame["sequence_sha256"] = [sequence_sha256(text) for text in frame["sequence"]]
        write_frame(tmp_path / "q.parquet", frame.assign(given=frame["id"].isin(given)), QUERIES)
        plain = settings_for(base, contact="me@example.org")
        services = plain.services.model_copy(update={"colabfold": more.pop("base", base)})
        fetch = plain.model_copy(update={"services": services})
        origin = Origin(tmp_path, store, fetch, **more)
        fetch_alignments(tmp_path / "q.parquet", "files-00000", origin, tmp_path / "l")
        return {row["id"]: row for row in read_rows(tmp_path / "l", SCHEMA)}

    return run


def alignment(row, store) -> str:
    return gzip.decompress(store_path(store.root, row["sha256"]).read_bytes()).decode()


def test_both_alignments_of_a_result_become_one(service, fetched, store):
    rows = fetched({"1abc_A": ONE, "2abc_A": TWO})
    texts = alignment(rows["1abc_A"], store).split("\n")
    assert texts[:2] == [">query", ONE] and texts[3:-1:2] == [*HOMOLOGS[ONE][0], *HOMOLOGS[ONE][1]]
    assert alignment(rows["2abc_A"], store) == f">query\n{TWO}\n"
    row = rows["1abc_A"]
    assert (row["source"], row["shard"], row["status"]) == ("colabfold", "alignments_files-00000", "stored")
    assert "mode env, ticket " in row["revision"]


def test_the_server_is_told_who_asks_and_asked_for_one_at_a_time(service, fetched):
    service.states = ["PENDING", "RUNNING", "RUNNING", "COMPLETE", "PENDING"]
    fetched({"a": ONE, "b": TWO})
    first = [f"submit {ONE}", "ask", "ask", "ask", "download"]
    assert service.asked == [*first, f"submit {TWO}", "ask", "download"]
    (agent,) = service.agents
    assert agent.startswith("foldgraft/") and "me@example.org" in agent


def test_jobs_beside_one_another_ask_in_turn(service, fetched, store, tmp_path):
    """Another job holds the server: nothing is asked until it lets go."""
    store.root.mkdir(parents=True)
    with (store.root / "colabfold.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        job = threading.Thread(target=fetched, args=({"a": ONE},))
        job.start()
        job.join(0.3)
        assert job.is_alive() and service.asked == []
    job.join(20)
    assert service.asked == [f"submit {ONE}", "download"]


def test_what_was_answered_is_not_asked_again(service, fetched, store):
    before = fetched({"a": ONE})
    again = fetched({"other_name": ONE, "b": TWO})
    assert service.asked.count(f"submit {ONE}") == 1 and service.asked.count(f"submit {TWO}") == 1
    assert again["other_name"] == before["a"] | {"id": "other_name"}
    store_path(store.root, before["a"]["sha256"]).write_bytes(b"damaged")
    fetched({"a": ONE})
    assert service.asked.count(f"submit {ONE}") == 2


def test_another_server_is_asked_for_itself(service, fetched, httpserver):
    fetched({"a": ONE})
    with pytest.raises(FoldgraftError, match="/own gave no alignment of a: HTTP 500"):
        fetched({"a": ONE}, base=httpserver.url_for("/own/"))


def test_an_interrupted_shard_goes_on_where_it_was(service, fetched):
    service.states = ["COMPLETE", "MAINTENANCE"]
    with pytest.raises(FoldgraftError, match="maintenance; what it answered before is kept"):
        fetched({"a": ONE, "b": TWO})
    assert set(fetched({"a": ONE, "b": TWO})) == {"a", "b"}
    assert service.asked.count(f"submit {ONE}") == 1


def test_a_limit_is_waited_for(service, fetched):
    limited = answer("RATELIMIT", status=429)
    limited.headers["Retry-After"] = "0"
    service.refusals = [limited, *(answer("RATELIMIT", status=code) for code in (429, 200) * 30)]
    assert fetched({"a": ONE})["a"]["status"] == "stored"
    assert service.asked == [f"submit {ONE}"] * 62 + ["download"]


def test_a_forgotten_ticket_is_submitted_again(service, fetched):
    service.states = ["PENDING", "UNKNOWN"]
    assert fetched({"a": ONE})["a"]["status"] == "stored"
    assert service.asked == [f"submit {ONE}", "ask", f"submit {ONE}", "download"]


def test_what_it_cannot_align_is_rejected_with_the_reason(service, fetched, capsys):
    service.states = ["ERROR"]
    rows = fetched({"a": ONE, "b": TWO, "peptide": "MKTAYIAKQRQIS"})
    assert rows["a"]["status"] == rows["peptide"]["status"] == "rejected" and rows["b"]["status"] == "stored"
    assert rows["a"]["reason"] == "the server could not align it"
    assert "shorter than 14" in rows["peptide"]["reason"]
    assert "a: the server could not align it" in capsys.readouterr().err


def test_a_server_that_refuses_its_client_stops_the_job(service, fetched):
    service.refusals = [Response("Forbidden", 403)]
    with pytest.raises(FoldgraftError, match="no alignment of a: HTTP 403"):
        fetched({"a": ONE, "b": TWO})


def test_chains_with_a_given_alignment_are_not_sent(service, fetched):
    assert set(fetched({"a": ONE, "b": TWO}, given=("a",))) == {"b"}
    assert fetched({"a": ONE}, given=("a",)) == {}
    assert not any(ONE in words for words in service.asked)


def test_a_replay_asks_nobody(service, fetched, tmp_path, store):
    first = fetched({"a": ONE})
    (tmp_path / "l").rename(tmp_path / "lock.parquet")
    asked = list(service.asked)
    assert fetched({"a": ONE}, replay=tmp_path / "lock.parquet") == first
    assert service.asked == asked


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "a state that is none"),
        ({"status": "SOMETHING"}, "a state that is none"),
        ({"status": "PENDING", "id": "../../etc"}, "a ticket that is none"),
    ],
)
def test_nonsense_stops_the_job(service, fetched, content, said):
    service.refusals = [Response(json.dumps(content), content_type="application/json")]
    with pytest.raises(FoldgraftError, match=said):
        fetched({"a": ONE})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pdb70.m8": b""}, "has no uniref.a3m"),
        ({"uniref.a3m": f">101\n{TWO}\n\0".encode()}, "of another sequence"),
        ({"uniref.a3m": f">101\n{ONE}\n\0>102\n{TWO}\n\0".encode()}, "of another sequence"),
        (None, "not whole"),
    ],
)
def test_a_result_that_is_not_what_was_asked_for_is_not_believed(service, fetched, files, said):
    service.results[ONE] = archive(files) if files is not None else archive({"uniref.a3m": b"x" * 9999})[:-20]
    with pytest.raises(FoldgraftError, match=rf"no alignment of a: .*{said}"):
        fetched({"a": ONE})


def test_a_result_that_grows_without_end_is_refused(tmp_path):
    path = tmp_path / "r.tar.gz"
    path.write_bytes(archive({"uniref.a3m": b"A" * 10**6}))
    with pytest.raises(PassingError, match="more than 100000 bytes"):
        read_result(path, ONE, 100_000)


@pytest.mark.parametrize("paxed", [False, True])
def test_a_sparse_member_is_not_filled_with_what_it_says_it_holds(tmp_path, paxed):
    """300 MB without a byte behind them, as GNU tar writes them of old, and in a pax header."""
    claimed = 300 * 10**6
    member = tarfile.TarInfo("uniref.a3m")
    if paxed:
        member.pax_headers = {"GNU.sparse.size": str(claimed), "GNU.sparse.map": f"{claimed},0"}
        header = member.tobuf(tarfile.PAX_FORMAT)
    else:
        member.type = tarfile.GNUTYPE_SPARSE
        block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
        block[386:410] = b"%011o\0%011o\0" % (claimed, 0)
        block[483:495] = b"%011o\0" % claimed
        block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
        header = bytes(block)
    (tmp_path / "r.tar.gz").write_bytes(gzip.compress(header + bytes(1024)))
    with tarfile.open(tmp_path / "r.tar.gz") as tar:
        assert [(one.isfile(), one.issparse(), one.size) for one in tar] == [(True, True, claimed)]
    tracemalloc.start()
    try:
        with pytest.raises(PassingError, match=r"has no uniref\.a3m"):
            read_result(tmp_path / "r.tar.gz", ONE, 10**9)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_nothing_of_a_result_reaches_the_disk(tmp_path):
    path = tmp_path / "r.tar.gz"
    files = {"../evil": b"x", "/tmp/evil": b"x", "uniref.a3m": f">101\n{ONE}\n\0".encode(), ENVIRONMENT: b"\0"}
    path.write_bytes(archive(files))
    assert read_result(path, ONE, 10**6) == f">query\n{ONE}\n".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.tar.gz"]
