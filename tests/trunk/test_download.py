"""Downloads from a server on this machine: whole, broken, killed, shared, refused, wrong."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from tenacity import wait_none
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.records.files import file_sha256, read_json
from foldgraft.trunk import download as module
from foldgraft.trunk.command import download as command
from foldgraft.trunk.download import download
from foldgraft.trunk.settings import TrunkSettings

NAME = "esm2_t6_8M_UR50D"
MODEL, REGRESSION = f"/models/{NAME}.pt", f"/regression/{NAME}-contact-regression.pt"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch, fair_files):
    """No waiting between attempts, and the test's own files as the published ones."""
    monkeypatch.setattr(module, "wait_exponential", lambda **_: wait_none())
    monkeypatch.setattr(module, "PINNED", {path.name: file_sha256(path) for path in fair_files})


@pytest.fixture
def server(httpserver, fair_files):
    for path, file in zip((MODEL, REGRESSION), fair_files, strict=True):
        httpserver.expect_request(path).respond_with_data(file.read_bytes(), content_type="application/octet-stream")
    return httpserver


def test_command_downloads_and_converts(server, tmp_path):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    settings = TrunkSettings(url=server.url_for("/"))
    command(weights, description, tmp_path / "kept", None, settings)
    about = read_json(description)
    assert about["name"] == NAME and about["source"]["kind"] == "download"
    assert Trunk.load(weights, description).layers == 2
    asked = len(server.log)
    command(weights, description, tmp_path / "kept", None, settings)
    assert len(server.log) == asked == 2


def test_busy_server_is_asked_again(httpserver, fair_files, tmp_path):
    httpserver.expect_ordered_request(MODEL).respond_with_data("busy", status=503)
    httpserver.expect_ordered_request(MODEL).respond_with_data(fair_files[0].read_bytes())
    httpserver.expect_ordered_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    found = download(NAME, tmp_path, httpserver.url_for(""))
    assert [path.read_bytes() for path in found] == [path.read_bytes() for path in fair_files]


def test_broken_transfer_goes_on_where_it_broke(httpserver, fair_files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 500)
    content, ranges = fair_files[0].read_bytes(), []

    def serve(request):
        ranges.append(request.headers.get("Range"))
        if len(ranges) == 1:
            return Response(iter([content[:1000]]), headers={"ETag": '"one"', "Content-Length": str(len(content))})
        assert request.headers["If-Range"] == '"one"'
        return rest(content, 1000)

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content and ranges == [None, "bytes=1000-"]


def rest(content: bytes, start: int) -> Response:
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Response(content[start:], status=206, headers={"ETag": '"one"', "Content-Range": span})


PART, TAG = f".{NAME}.pt.part", f".{NAME}.pt.tag"


def left_over(folder: Path, part: bytes, tag: str | None = '"one"') -> None:
    (folder / PART).write_bytes(part)
    if tag:
        (folder / TAG).write_text(tag)


def test_what_an_earlier_process_left_is_used(httpserver, fair_files, tmp_path):
    content = fair_files[0].read_bytes()
    left_over(tmp_path, content[:700])
    httpserver.expect_request(MODEL, headers={"Range": "bytes=700-", "If-Range": '"one"'}).respond_with_response(
        rest(content, 700)
    )
    httpserver.expect_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content and not (tmp_path / PART).exists() and not (tmp_path / TAG).exists()


@pytest.mark.parametrize("answer", ["whole", "other range", "beyond", "without tag", "wrong bytes"])
def test_what_does_not_fit_is_discarded(httpserver, fair_files, tmp_path, answer):
    content = fair_files[0].read_bytes()
    part = content + b"more" if answer == "beyond" else bytes(700) if answer == "wrong bytes" else content[:700]
    left_over(tmp_path, part, None if answer == "without tag" else '"one"')
    asked = []

    def serve(request):
        asked.append(request.headers.get("Range"))
        if "Range" not in request.headers or answer == "whole":
            return Response(content, headers={"ETag": '"two"'})
        if answer == "beyond":
            return Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        return rest(content, 600 if answer == "other range" else 700)

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content
    ranged = [] if answer == "without tag" else [f"bytes={len(part)}-"]
    assert asked == ranged + ([] if answer == "whole" else [None])


@pytest.mark.parametrize("pieces", [700, 400])
def test_a_server_that_sends_less_than_the_rest_is_asked_for_the_rest_of_it(httpserver, tmp_path, monkeypatch, pieces):
    """Without the sha256 of a file, only the range tells that it is not whole."""
    monkeypatch.setattr(module, "PINNED", {})
    content = bytes(range(200)) * 10
    left_over(tmp_path, content[:1000])

    def serve(request):
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        stop = min(start + pieces, len(content))
        span = f"bytes {start}-{stop - 1}/{len(content)}"
        return Response(content[start:stop], status=206, headers={"ETag": '"one"', "Content-Range": span})

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(b"regression")
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content


def test_more_than_the_range_states_is_discarded(httpserver, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PINNED", {})
    content = bytes(range(200)) * 10
    left_over(tmp_path, content[:1000])

    def serve(request):
        if "Range" not in request.headers:
            return Response(content)
        span = f"bytes 1000-{len(content) - 1}/{len(content)}"
        return Response(content[1000:] + b"more", status=206, headers={"ETag": '"one"', "Content-Range": span})

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(b"regression")
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content


@pytest.mark.parametrize(
    "headers", [{"ETag": 'W/"weak"'}, {"ETag": "bare"}, {"ETag": '"gz"', "Content-Encoding": "gzip"}]
)
def test_a_part_that_could_not_be_gone_on_with_is_begun_anew(httpserver, fair_files, tmp_path, monkeypatch, headers):
    monkeypatch.setattr(module, "CHUNK", 500)
    content, asked = fair_files[0].read_bytes(), []
    body = gzip.compress(content) if "Content-Encoding" in headers else content

    def serve(request):
        asked.append(request.headers.get("Range"))
        length = {"Content-Length": str(len(body))}
        return Response(iter([body[: len(body) // 2] if len(asked) == 1 else body]), headers=headers | length)

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content and asked == [None, None]


def test_a_range_that_nobody_asked_for_joins_no_old_part(httpserver, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PINNED", {})
    left_over(tmp_path, b"old", tag=None)
    httpserver.expect_ordered_request(MODEL).respond_with_response(rest(b"new", 0))
    httpserver.expect_ordered_request(MODEL).respond_with_data(b"new")
    httpserver.expect_ordered_request(REGRESSION).respond_with_data(b"regression")
    assert download(NAME, tmp_path, httpserver.url_for(""))[0].read_bytes() == b"new"


def test_a_redirect_to_plain_http_is_not_followed_up(tmp_path):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://models.example/x.pt"})
        return httpx.Response(200, content=b"changed")

    with httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True) as client:
        with pytest.raises(httpx.HTTPError, match="redirected from https to http"):
            module.Transfer(client, "https://models.example/x.pt", tmp_path / "x.pt", 1000).run()
        module.Transfer(client, "http://models.example/x.pt", tmp_path / "x.pt", 1000).run()
    assert (tmp_path / "x.pt").read_bytes() == b"changed"


class Slow(BaseHTTPRequestHandler):
    """Serves files with ranges and tags; the first bytes at once, the rest once the server's gate is open."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content, span = self.server.files[self.path], self.headers.get("Range")
        self.server.asked.append((self.path, span, self.headers.get("If-Range")))
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        self.send_response(206 if span else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(content) - start))
        if span:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        pause = max(start, self.server.first)
        self.wfile.write(content[start:pause])
        self.wfile.flush()
        if start < pause:
            self.server.gate.wait(60)
        self.wfile.write(content[pause:])

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def slow_server(fair_files):
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        # past the first chunk, so that something of the file has reached the disk when the process is killed
        server.files = {MODEL: bytes(3 * module.CHUNK), REGRESSION: fair_files[1].read_bytes()}
        server.first, server.gate, server.asked = module.CHUNK + 1000, threading.Event(), []
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


PROGRAM = """
import json, sys
from pathlib import Path
from foldgraft.trunk import download as module
module.PINNED = {}
model, regression = module.download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
print(json.dumps([model.stat().st_size, regression.stat().st_size]))
"""


def start_process(folder: Path, server: ThreadingHTTPServer) -> subprocess.Popen:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, NAME, folder, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_download_goes_on_and_two_processes_share_it(slow_server, tmp_path):
    part = tmp_path / PART
    killed = start_process(tmp_path, slow_server)
    wait_for(lambda: part.exists() and part.stat().st_size == module.CHUNK)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    killed.communicate()

    slow_server.gate.set()
    two = [start_process(tmp_path, slow_server) for _ in range(2)]
    for process in two:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert json.loads(out) == [len(slow_server.files[MODEL]), len(slow_server.files[REGRESSION])]
    assert (tmp_path / f"{NAME}.pt").read_bytes() == slow_server.files[MODEL]
    assert slow_server.asked == [
        (MODEL, None, None),
        (MODEL, f"bytes={module.CHUNK}-", '"one"'),
        (REGRESSION, None, None),
    ]
    assert not part.exists()


def test_the_second_waits_for_the_first(slow_server, fair_files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "PINNED", {})
    url, found = f"http://127.0.0.1:{slow_server.server_address[1]}", []
    threads = [threading.Thread(target=lambda: found.append(download(NAME, tmp_path, url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: "another process is fetching" in capsys.readouterr().err)
    slow_server.gate.set()
    for thread in threads:
        thread.join(60)
    assert len(found) == 2 and [path for path, *_ in slow_server.asked] == [MODEL, REGRESSION]


def test_models_without_a_regression(httpserver, fair_files, tmp_path):
    name = "esm1v_t33_650M_UR90S_3"
    httpserver.expect_request(f"/models/{name}.pt").respond_with_data(b"tensors")
    model, regression = download(name, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == b"tensors" and regression is None


def failing(tmp_path, url: str) -> str:
    with pytest.raises(FoldgraftError) as caught:
        download(NAME, tmp_path, url)
    assert all(path.suffix == ".lock" for path in tmp_path.iterdir())
    return str(caught.value)


def test_offline_says_which_file_goes_where(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = failing(tmp_path, url)
    assert url + MODEL in said and url + REGRESSION in said and str(tmp_path) in said and "\n" not in said


def test_a_proxy_of_an_unknown_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks9://127.0.0.1:9")
    assert "socks9" in failing(tmp_path, "http://models.example")


def refuse(server: socket.socket, asked: list[bytes]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            asked.append(connection.recv(1000))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_behind_a_refusing_proxy_files_put_by_hand_are_used(tmp_path, monkeypatch, fair_files, scheme):
    asked: list[bytes] = []
    folder, url = tmp_path / "kept", f"{scheme}://models.example"
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=refuse, args=(proxy, asked), daemon=True).start()
        for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        said = failing(folder, url)
        assert "403" in said and url + MODEL in said and url + REGRESSION in said and str(folder) in said
        assert len(asked) == 1 and asked[0].startswith(
            b"CONNECT" if scheme == "https" else b"GET http://models.example"
        )
        for file in fair_files:
            (folder / file.name).write_bytes(file.read_bytes())
        weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
        command(weights, description, folder, None, TrunkSettings(url=url))
        assert len(asked) == 1
        proxy.shutdown(socket.SHUT_RDWR)
    assert read_json(description)["source"]["files"] == {file.name: file_sha256(file) for file in fair_files}
    assert Trunk.load(weights, description).layers == 2


@pytest.mark.parametrize("status", [403, 404])
def test_refusal_is_not_repeated(httpserver, tmp_path, status):
    httpserver.expect_request(MODEL).respond_with_data("no", status=status)
    assert f"answered {status}" in failing(tmp_path, httpserver.url_for(""))
    assert len(httpserver.log) == 1


def test_page_of_a_proxy(httpserver, tmp_path):
    httpserver.expect_request(MODEL).respond_with_data("<html>log in</html>", content_type="text/html; charset=utf-8")
    assert "web page" in failing(tmp_path, httpserver.url_for(""))


@pytest.mark.parametrize("declared", [True, False])
def test_size_is_bounded(httpserver, tmp_path, monkeypatch, declared):
    monkeypatch.setitem(module.PUBLISHED, NAME, 1000)
    content = bytes(1001)
    httpserver.expect_request(MODEL).respond_with_handler(lambda _: Response(content if declared else iter([content])))
    assert "expected at most" in failing(tmp_path, httpserver.url_for(""))


def test_other_content_than_the_published(server, tmp_path, monkeypatch):
    monkeypatch.setitem(module.PINNED, f"{NAME}.pt", "0" * 64)
    assert "not the published file" in failing(tmp_path, server.url_for(""))


def test_other_content_put_by_hand(tmp_path):
    (tmp_path / f"{NAME}.pt").write_bytes(b"something else")
    with pytest.raises(FoldgraftError, match=r"is not the published file .* delete it"):
        download(NAME, tmp_path, "http://127.0.0.1:9")
