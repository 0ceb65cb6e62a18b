"""Downloads from a server on this machine: whole, broken, refused, wrong."""

import socket

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
    command(weights, description, tmp_path / "kept", settings)
    about = read_json(description)
    assert about["name"] == NAME and about["source"]["kind"] == "download"
    assert Trunk.load(weights, description).layers == 2
    asked = len(server.log)
    command(weights, description, tmp_path / "kept", settings)
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
        return Response(content[1000:], status=206, headers={"ETag": '"one"'})

    httpserver.expect_request(MODEL).respond_with_handler(serve)
    httpserver.expect_request(REGRESSION).respond_with_data(fair_files[1].read_bytes())
    model, _ = download(NAME, tmp_path, httpserver.url_for(""))
    assert model.read_bytes() == content and ranges == [None, "bytes=1000-"]


def failing(tmp_path, url: str) -> str:
    with pytest.raises(FoldgraftError) as caught:
        download(NAME, tmp_path, url)
    assert not list(tmp_path.iterdir())
    return str(caught.value)


def test_offline_says_which_file_goes_where(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = failing(tmp_path, url)
    assert url + MODEL in said and url + REGRESSION in said and str(tmp_path) in said and "\n" not in said


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
    with pytest.raises(FoldgraftError, match="not the published file"):
        download(NAME, tmp_path, server.url_for(""))
