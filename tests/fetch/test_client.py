"""The client's manners: rates, proxies, outages, being stopped."""

import gzip
import http.server
import re
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.fetch import client as client_module
from foldgraft.fetch.client import RATES, Client, FinalError, Pace, PassingError, StoppedError, seconds_asked
from foldgraft.fetch.settings import FetchSettings


@pytest.fixture
def frozen(monkeypatch):
    """A clock that stands still, so that a busy machine changes nothing."""
    monkeypatch.setattr(client_module, "time", SimpleNamespace(monotonic=lambda: 100.0, time=time.time))


def test_no_more_than_the_rate_in_any_second_from_all_threads(frozen):
    pace, due = Pace(5), []

    def ask():
        for _ in range(4):
            due.append(pace.pause())

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(due) == [0.0] * 5 + [1.0] * 5 + [2.0] * 2


def test_a_service_is_asked_at_its_rate_and_files_are_not(httpserver, settings, frozen, monkeypatch):
    httpserver.expect_request(re.compile("/(api|download)/x")).respond_with_data("{}")
    with Client(settings) as client:
        waits = []
        monkeypatch.setattr(client, "sleep", waits.append)
        for base in (settings.services.alphafold, settings.services.rcsb_files):
            for _ in range(RATES["alphafold"] + 1):
                client.ask(f"{base}/x")
    assert waits == [0.0] * 5 + [1.0] + [0.0] * 6


def test_a_proxy_of_the_environment_is_used(httpserver, monkeypatch, raw_server):
    asked = []

    def proxy(connection, head):
        asked.append(head.split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n11")

    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", raw_server(proxy))
    settings = FetchSettings.model_validate({"services": {"uniprot": "http://localhost:9/uniprotkb"}})
    with Client(settings) as client:
        assert client.ask("http://localhost:9/uniprotkb/P69905") == 11
    assert asked == [b"GET http://localhost:9/uniprotkb/P69905 HTTP/1.1"]


@contextmanager
def encrypted(folder, openssl):
    """An https server on loopback whose certificate nobody has signed; yields its port."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_certificate_that_nobody_signed_is_refused_behind_a_redirect_too(httpserver, settings, tmp_path, program):
    with encrypted(tmp_path, program("openssl")) as port, Client(settings) as client:
        there = f"https://localhost:{port}/x"
        httpserver.expect_request("/api/x").respond_with_data("", status=302, headers={"Location": there})
        for url in (there, f"{settings.services.alphafold}/x"):
            with pytest.raises(PassingError, match="CERTIFICATE_VERIFY_FAILED"):
                client.ask(url)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        *((text, 600, 600) for text in ("1e9", "inf")),
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(days=9), True), 600, 600, id="in nine days"),
        *((f"Wed, 21 Oct {text}", 0, 0) for text in ("99999999999 07:28:00 GMT", f"2015 07:28:00 +{'9' * 20}")),
        *((text, 0, 0) for text in ("", "soon", "nan", "-3", "Wed, 21 Oct 2015 07:28:00 GMT")),
    ],
)
def test_what_a_server_asks_for_is_understood_and_bounded(value, low, high):
    assert low <= seconds_asked(value) <= high


def failing(client, url, error):
    def attempt():
        raise error

    return lambda: client.patiently(url, attempt)


def until_outage(ask, error):
    for count in range(1, 1000):
        try:
            ask()
        except FoldgraftError as outage:
            return count, str(outage)
        except error:
            pass
    raise AssertionError("no outage")


def test_a_service_that_stops_answering_ends_the_job(settings):
    with Client(settings) as client:
        ask = failing(client, "https://a.org/x/1", PassingError("HTTP 503"))
        count, message = until_outage(ask, PassingError)
    assert count == 8  # items: 24 attempts, 2 retries each, 4 connections
    assert message == (
        "https://a.org/x has stopped answering: 24 attempts failed one after another, the last with: HTTP 503; what "
        "was downloaded is kept in the store, so run again when the service is up"
    )


@pytest.mark.parametrize("answer", ["success", "final"])
def test_an_answer_between_failures_is_no_outage(settings, answer):
    with Client(settings) as client:
        for _ in range(5):
            for _ in range(7):
                with pytest.raises(PassingError):
                    failing(client, "https://a.org/x/1", PassingError("HTTP 503"))()
            with pytest.raises(PassingError):  # another service on that host has troubles of its own
                failing(client, "https://a.org/y/1", PassingError("HTTP 503"))()
            if answer == "success":
                assert client.patiently("https://a.org/x/2", lambda: 1) == 1
            else:
                with pytest.raises(FinalError):
                    failing(client, "https://a.org/x/2", FinalError("HTTP 404"))()


def test_a_client_that_is_stopped_waits_no_longer(settings):
    with Client(settings) as client:
        threading.Timer(0.05, client.stop).start()
        with pytest.raises(StoppedError):
            failing(client, "https://a.org/x/1", PassingError("HTTP 429", wait=600))()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SSL_CERT_FILE", "/nowhere"), ("HTTPS_PROXY", "gopher://proxy:1"), ("HTTPS_PROXY", "socks9://x")],
)
def test_an_environment_that_cannot_be_used_is_an_error_that_says_so(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(FoldgraftError, match=r"the network cannot be used as the environment says: .*HTTPS_PROXY"):
        Client(FetchSettings())


@pytest.mark.parametrize("contact", ["Jürgen", "a@b.org\r\nX: y"])
def test_a_contact_that_cannot_stand_in_a_header_is_refused(contact):
    with pytest.raises(ValueError, match="contact"):
        FetchSettings(contact=contact)


def test_the_body_of_a_redirect_is_not_read(settings_for, raw_server):
    """One without an end would fill the memory, however small the files may be."""
    gone = threading.Event()

    def handle(connection, head):
        if head.startswith(b"GET /api/x "):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /api/y\r\nContent-Length: 9999\r\n\r\nx")
            gone.wait(30)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n11")

    settings = settings_for(raw_server(handle), retries=0, timeout=5)
    with Client(settings) as client:
        assert client.ask(f"{settings.services.alphafold}/x") == 11
    gone.set()


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br"])
def test_an_encoding_that_was_not_asked_for_is_refused(httpserver, settings, encoding):
    body = gzip.compress(gzip.compress(b"1"))
    httpserver.expect_request("/api/x").respond_with_data(body, headers={"Content-Encoding": encoding})
    with Client(settings) as client, pytest.raises(FinalError, match=f"encoded as '{encoding}'"):
        client.ask(f"{settings.services.alphafold}/x")


def test_gzip_on_the_way_is_understood_and_its_damage_is_passing(httpserver, settings):
    headers = {"Content-Encoding": "gzip"}
    httpserver.expect_request("/api/x").respond_with_data(gzip.compress(b"11"), headers=headers)
    httpserver.expect_request("/api/y").respond_with_data(b"no gzip", headers=headers)
    with Client(settings) as client:
        assert client.ask(f"{settings.services.alphafold}/x") == 11
        with pytest.raises(PassingError, match="DecodingError"):
            client.ask(f"{settings.services.alphafold}/y")


def test_an_answer_in_json_has_a_bound_of_its_own(httpserver, settings, monkeypatch):
    monkeypatch.setattr(client_module, "JSON_BYTES", 10)
    httpserver.expect_request("/api/x").respond_with_data(" " * 11 + "1")
    with Client(settings) as client, pytest.raises(FinalError, match=r"larger than 10 bytes$"):
        client.ask(f"{settings.services.alphafold}/x")
