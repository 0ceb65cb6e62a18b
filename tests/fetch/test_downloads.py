"""Downloads against a real server on loopback that misbehaves as servers do."""

import gzip
import hashlib
import itertools
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch import client as client_module
from foldgraft.fetch.client import Client, FinalError, allowed, check_services
from foldgraft.fetch.downloads import download
from foldgraft.fetch.inputs import Item
from foldgraft.fetch.settings import FetchSettings
from foldgraft.records.lock import store_path

UBIQUITIN = Item("rcsb", "1ubq", "1ubq")


def fetched(item, store, settings):
    with Client(settings) as client:
        return download(item, client, store, settings)


def in_turn(httpserver, path, *responses):
    """Answer with the responses one after the other, the last of them for ever; returns the list of request times."""
    times = []

    def handler(request):
        times.append(time.monotonic())
        return responses[min(len(times), len(responses)) - 1]

    httpserver.expect_request(path).respond_with_handler(handler)
    return times


def test_a_file_arrives_in_the_store_under_its_sha256(httpserver, store, settings, cif):
    body = cif("1UBQ")
    in_turn(httpserver, "/download/1ubq.cif.gz", Response(body))
    row = fetched(UBIQUITIN, store, settings)
    assert (row["status"], row["reason"]) == ("stored", None)
    assert row["sha256"] == hashlib.sha256(body).hexdigest()
    assert row["bytes"] == len(body)
    assert row["url"] == f"{settings.services.rcsb_files}/1ubq.cif.gz"
    assert store_path(store.root, row["sha256"]).read_bytes() == body


def test_what_is_in_the_store_is_not_asked_for_again_unless_it_was_damaged(httpserver, store, settings, cif):
    times = in_turn(httpserver, "/download/1ubq.cif.gz", Response(cif("1UBQ")))
    first = fetched(UBIQUITIN, store, settings)
    assert fetched(UBIQUITIN, store, settings) == first
    assert len(times) == 1
    store_path(store.root, first["sha256"]).write_bytes(b"rotten")
    again = fetched(UBIQUITIN, store, settings)
    assert len(times) == 2
    assert again["sha256"] == first["sha256"]
    assert store.holds(first["sha256"])


def test_the_extended_spelling_of_an_entry_inside_the_file_is_the_same_entry(httpserver, store, settings, cif):
    in_turn(httpserver, "/download/1ubq.cif.gz", Response(cif("pdb_00001ubq")))
    assert fetched(UBIQUITIN, store, settings)["status"] == "stored"


def test_a_missing_entry_is_rejected_at_once(httpserver, store, settings):
    times = in_turn(httpserver, "/download/1ubq.cif.gz", Response("Not Found", status=404))
    httpserver.expect_request("/data/rest/v1/holdings/removed/1UBQ").respond_with_data("", status=404)
    row = fetched(UBIQUITIN, store, settings)
    assert row["status"] == "rejected"
    assert row["reason"] == "HTTP 404 (not found), and the PDB knows of no withdrawal"
    assert row["sha256"] is None
    assert len(times) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Response("<html>Service Unavailable</html>", status=503, content_type="text/html"), "HTTP 503"),
        (Response("oops", status=500), "HTTP 500"),
        (Response("<!DOCTYPE html><html>busy</html>", content_type="text/html"), "web page"),
        (Response(gzip.compress(b"data_1UBQ\n"), content_type="text/html"), "web page (text/html"),
        (Response(b"", status=204), "empty"),
        (Response(b'{"message": "busy"}', content_type="application/json"), "no data_ block"),
        (Response("", status=429), "HTTP 429"),
        (Response(b"data_1UBQ\n_entry.id 1UBQ\nloop_\n_atom"), "ends within a line"),
        (Response(b""), "empty"),
        (Response(b"hello"), "no data_ block"),
        (Response(gzip.compress(b"data_2ABC\n")), "another entry: '2abc'"),
        (Response(gzip.compress(b"data_1UBQ\n" * 99)[:-9]), "cut short"),
        (Response(gzip.compress(b"data_1UBQ\n" * 99)[:-8] + b"\0" * 8), "damaged"),
    ],
)
def test_a_bad_answer_is_retried_then_rejected_with_its_reason(httpserver, store, settings, cif, bad, reason):
    times = in_turn(httpserver, "/download/1ubq.cif.gz", bad)
    row = fetched(UBIQUITIN, store, settings)
    assert row["status"] == "rejected"
    assert reason in row["reason"]
    assert len(times) == 3
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_a_passing_failure_does_no_harm(httpserver, store, settings, cif):
    page = Response("<html></html>", content_type="text/html")
    in_turn(httpserver, "/download/1ubq.cif.gz", page, Response("", status=503), Response(cif("1UBQ")))
    assert fetched(UBIQUITIN, store, settings)["status"] == "stored"


def test_a_server_that_asks_for_time_is_given_it(httpserver, store, settings, cif):
    busy = Response("Too Many Requests", status=429, headers={"Retry-After": "1"})
    times = in_turn(httpserver, "/download/1ubq.cif.gz", busy, Response(cif("1UBQ")))
    assert fetched(UBIQUITIN, store, settings)["status"] == "stored"
    assert times[1] - times[0] >= 1


def test_a_server_may_name_the_time_at_which_to_come_again(httpserver, store, settings, cif):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)  # whole seconds: at least 2 from now
    times = in_turn(
        httpserver,
        "/download/1ubq.cif.gz",
        Response("", status=503, headers={"Retry-After": at}),
        Response(cif("1UBQ")),
    )
    assert fetched(UBIQUITIN, store, settings)["status"] == "stored"
    assert times[1] - times[0] >= 1


def test_a_file_beyond_the_bound_is_refused(httpserver, store, settings_for, cif):
    settings = settings_for(httpserver.url_for("").rstrip("/"), max_file_mb=1)
    in_turn(httpserver, "/download/1ubq.cif.gz", Response(b"x" * 1_000_001))
    assert "larger than 1000000 bytes" in fetched(UBIQUITIN, store, settings)["reason"]


def test_a_gzip_bomb_is_refused(httpserver, store, settings_for):
    settings = settings_for(httpserver.url_for("").rstrip("/"), max_decompressed_mb=1)
    in_turn(httpserver, "/download/1ubq.cif.gz", Response(gzip.compress(b"data_1UBQ\n" + b" " * 20_000_000)))
    assert "decompresses to more than 1000000 bytes" in fetched(UBIQUITIN, store, settings)["reason"]


def test_a_redirect_to_plain_http_elsewhere_is_refused(httpserver, store, settings):
    away = Response("", status=302, headers={"Location": "http://files.example.org/1ubq.cif.gz"})
    times = in_turn(httpserver, "/download/1ubq.cif.gz", away)
    assert "not https" in fetched(UBIQUITIN, store, settings)["reason"]
    assert len(times) == 1


def test_a_redirect_without_an_end_is_refused(httpserver, store, settings):
    away = Response("", status=302, headers={"Location": "/download/1ubq.cif.gz"})
    times = in_turn(httpserver, "/download/1ubq.cif.gz", away)
    assert fetched(UBIQUITIN, store, settings)["reason"] == "too many redirects"
    assert len(times) == 6


def test_a_redirect_to_loopback_is_refused_unless_a_service_is_there(httpserver):
    with Client(FetchSettings()) as client, pytest.raises(FinalError, match="is not https"):
        client.ask(httpserver.url_for("/x"))


def test_a_file_is_kept_under_the_address_where_it_was_in_the_end(httpserver, store, settings, cif):
    in_turn(httpserver, "/download/1ubq.cif.gz", Response("", status=302, headers={"Location": "/mirror/1ubq"}))
    in_turn(httpserver, "/mirror/1ubq", Response(cif("1UBQ")))
    assert fetched(UBIQUITIN, store, settings)["url"] == httpserver.url_for("/mirror/1ubq")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"


def breaks_off(connection, body):
    connection.sendall(HEAD % len(body) + body[:-10])


def resets(connection, body):
    connection.sendall(HEAD % len(body) + body[:10])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def stalls(connection, body):
    connection.sendall(HEAD % len(body) + body[: len(body) // 2])
    connection.recv(1)  # until the client hangs up


def says_nothing(connection, body):
    connection.recv(1)


def promises_too_little(connection, body):
    connection.sendall(HEAD % (len(body) - 9) + body)


def speaks_no_http(connection, body):
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


FAULTS = [
    (breaks_off, "RemoteProtocolError: peer closed connection without sending complete message body"),
    (resets, "ReadError"),
    (stalls, "ReadTimeout: timed out"),
    (says_nothing, "ReadTimeout: timed out"),
    (promises_too_little, "the file is not whole: the gzip data is cut short"),
    (speaks_no_http, "RemoteProtocolError: illegal status line"),
]


def test_a_server_may_not_hold_a_job_by_a_byte_now_and_then(store, settings_for, raw_server, monkeypatch):
    monkeypatch.setattr(client_module, "ENOUGH", 0.2)
    gone = threading.Event()

    def handle(connection, _):
        connection.sendall(HEAD % 1_000_000)
        while not gone.wait(0.05):
            connection.sendall(b"x")

    row = fetched(UBIQUITIN, store, settings_for(raw_server(handle), retries=0))
    gone.set()
    assert row["reason"].startswith("the answer takes longer than 0 s")


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
@pytest.mark.parametrize("lasting", [True, False])
def test_a_fault_below_http_is_retried_then_rejected(store, settings_for, cif, raw_server, fault, reason, lasting):
    count = itertools.count(1)

    def handle(connection, _):
        if next(count) < 3 or lasting:
            fault(connection, cif("1UBQ"))
        else:
            connection.sendall(HEAD % len(cif("1UBQ")) + cif("1UBQ"))

    row = fetched(UBIQUITIN, store, settings_for(raw_server(handle), timeout=0.2))
    assert next(count) == 4
    if lasting:
        assert row["status"] == "rejected"
        assert row["reason"].startswith(reason) and row["reason"].endswith("--forcerun fetch_structures tries again")
        assert not [path for path in store.root.rglob("*") if path.is_file()]
    else:
        assert row["status"] == "stored"


def test_the_address_of_a_predicted_model_is_the_one_that_the_service_names(httpserver, store, settings, cif):
    item = Item("alphafold", "AF-P69905-F1", "P69905")
    url = httpserver.url_for("/files/AF-P69905-F1-model_v6.cif")
    model = {"entryId": "AF-P69905-F1", "latestVersion": 6, "sequenceChecksum": "15E13666573BBBAE", "cifUrl": url}
    models = [{"entryId": "AF-P69905-2-F1"}, model]
    httpserver.expect_request("/api/P69905").respond_with_json(models)
    in_turn(httpserver, "/files/AF-P69905-F1-model_v6.cif", Response(gzip.decompress(cif("AF-P69905-F1"))))
    row = fetched(item, store, settings)
    assert (row["status"], row["url"]) == ("stored", url)
    assert row["revision"] == "6, sequence checksum 15E13666573BBBAE"


@pytest.mark.parametrize(
    ("answer", "status"), [([], 200), ([], 404), ({"error": "none"}, 200), ([{"entryId": "AF-P69905-F1"}], 200)]
)
def test_an_accession_without_a_model_is_rejected(httpserver, store, settings, answer, status):
    httpserver.expect_request("/api/P69905").respond_with_json(answer, status=status)
    row = fetched(Item("alphafold", "AF-P69905-F1", "P69905"), store, settings)
    assert (row["status"], row["reason"]) == ("rejected", "the AlphaFold database has no model AF-P69905-F1")


@pytest.mark.parametrize("answer", [b"<html>busy</html>", b"", b"[" * 100_000])
def test_an_answer_of_a_service_that_is_no_json_is_retried_then_rejected(httpserver, store, settings, answer):
    times = in_turn(httpserver, "/api/P69905", Response(answer))
    row = fetched(Item("alphafold", "AF-P69905-F1", "P69905"), store, settings)
    assert row["status"] == "rejected"
    assert row["reason"].startswith("the answer is no JSON: it begins with b'")
    assert len(times) == 3


@pytest.mark.parametrize("url", ["http://alphafold.example.org/x.cif", "http://[", 3, None])
def test_an_address_that_the_service_names_is_not_trusted(httpserver, store, settings, url):
    httpserver.expect_request("/api/P69905").respond_with_json([{"entryId": "AF-P69905-F1", "cifUrl": url}])
    row = fetched(Item("alphafold", "AF-P69905-F1", "P69905"), store, settings)
    assert row["status"] == "rejected"
    assert "not https" in row["reason"] or "has no model" in row["reason"]


def test_the_contact_is_in_the_user_agent(httpserver, store, settings_for, cif):
    settings = settings_for(httpserver.url_for("").rstrip("/"), contact="lab@example.org")
    httpserver.expect_request("/download/1ubq.cif.gz").respond_with_data(cif("1UBQ"))
    fetched(UBIQUITIN, store, settings)
    request, _ = httpserver.log[0]
    assert request.headers["User-Agent"].startswith("foldgraft/")
    assert "lab@example.org" in request.headers["User-Agent"]


def test_only_https_is_asked_except_on_this_machine():
    assert allowed("https://files.rcsb.org/download")
    assert allowed("http://127.0.0.1:8080/x")
    assert not allowed("http://files.rcsb.org/download")
    assert not allowed("ftp://127.0.0.1/x")
    settings = FetchSettings.model_validate({"services": {"uniprot": "http://rest.uniprot.org/uniprotkb"}})
    with pytest.raises(FoldgraftError, match=r"fetch\.services\.uniprot: .* no https address"):
        check_services(settings)
