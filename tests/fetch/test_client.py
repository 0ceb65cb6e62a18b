"""The client's manners: rates, proxies, outages, being stopped."""

import http.server
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import RATES, Client, FinalError, Pace, PassingError, StoppedError, seconds_asked
from foldgraft.fetch.settings import FetchSettings


def test_no_more_than_the_rate_in_any_second_from_all_threads():
    pace, due, now = Pace(5), [], time.monotonic()

    def ask():
        for _ in range(4):
            due.append(time.monotonic() + pace.pause() - now)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    due.sort()
    assert len(due) == 12
    assert all(later - earlier >= 0.99 for earlier, later in zip(due, due[5:], strict=False))
    assert due[0] < 0.5


def test_a_service_is_asked_at_its_rate_and_files_are_not(httpserver, settings):
    times = []
    httpserver.expect_request("/api/x").respond_with_handler(lambda _: times.append(time.monotonic()) or Response("{}"))
    with Client(settings) as client:
        for _ in range(RATES["alphafold"] + 1):
            client.ask(f"{settings.services.alphafold}/x")
    assert times[-1] - times[0] >= 0.9
    assert "rcsb_files" not in RATES


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
        *((text, 600, 600) for text in ("1e9", "inf", format_datetime(datetime.now(UTC) + timedelta(days=9), True))),
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
