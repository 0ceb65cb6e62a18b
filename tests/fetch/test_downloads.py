"""Downloads against a real server on loopback that misbehaves as servers do."""

import gzip
import hashlib
import socketserver
import threading
import time

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, allowed, check_services
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
    row = fetched(UBIQUITIN, store, settings)
    assert (row["status"], row["reason"]) == ("rejected", "HTTP 404 (not found)")
    assert row["sha256"] is None
    assert len(times) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Response("<html>Service Unavailable</html>", status=503, content_type="text/html"), "HTTP 503"),
        (Response("oops", status=500), "HTTP 500"),
        (Response("<!DOCTYPE html><html>busy</html>", content_type="text/html"), "web page"),
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


class Abrupt(socketserver.BaseRequestHandler):
    """Promises a thousand bytes, sends ten, and hangs up."""

    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
        self.server.count += 1


def test_a_body_that_breaks_off_is_retried_then_rejected(store, settings_for):
    with socketserver.TCPServer(("127.0.0.1", 0), Abrupt) as server:
        server.count = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        row = fetched(UBIQUITIN, store, settings_for(f"http://127.0.0.1:{server.server_address[1]}"))
        server.shutdown()
        thread.join()
    assert row["status"] == "rejected"
    assert "RemoteProtocolError" in row["reason"]
    assert server.count == 3


def test_a_server_that_is_silent_is_given_up(store, settings_for):
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler, bind_and_activate=True) as server:
        # it listens but never accepts, so the connection opens and nothing comes
        settings = settings_for(f"http://127.0.0.1:{server.server_address[1]}", timeout=0.1, retries=1)
        row = fetched(UBIQUITIN, store, settings)
    assert "ReadTimeout" in row["reason"]


def test_the_address_of_a_predicted_model_is_the_one_that_the_service_names(httpserver, store, settings, cif):
    item = Item("alphafold", "AF-P69905-F1", "P69905")
    url = httpserver.url_for("/files/AF-P69905-F1-model_v6.cif")
    models = [{"entryId": "AF-P69905-2-F1"}, {"entryId": "AF-P69905-F1", "latestVersion": 6, "cifUrl": url}]
    httpserver.expect_request("/api/P69905").respond_with_json(models)
    in_turn(httpserver, "/files/AF-P69905-F1-model_v6.cif", Response(gzip.decompress(cif("AF-P69905-F1"))))
    row = fetched(item, store, settings)
    assert (row["status"], row["revision"], row["url"]) == ("stored", "6", url)


@pytest.mark.parametrize("answer", [[], {"error": "none"}, [{"entryId": "AF-P69905-F1"}]])
def test_an_accession_without_a_model_is_rejected(httpserver, store, settings, answer):
    httpserver.expect_request("/api/P69905").respond_with_json(answer)
    row = fetched(Item("alphafold", "AF-P69905-F1", "P69905"), store, settings)
    assert (row["status"], row["reason"]) == ("rejected", "the AlphaFold database has no model AF-P69905-F1")


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
