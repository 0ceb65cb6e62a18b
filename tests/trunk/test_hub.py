"""Models of the Hugging Face hub by name, from a server on this machine: whole, in parts, older, refused, wrong."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
import torch
from tenacity import wait_none
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.records.files import file_sha256, read_json
from foldgraft.trunk import download as module
from foldgraft.trunk.command import download as command
from foldgraft.trunk.hub import download_hub
from foldgraft.trunk.settings import HUB, TrunkSettings

NAME = "facebook/esm2_t6_8M_UR50D"
BASE = f"/{NAME}/resolve/main"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    monkeypatch.setattr(module, "wait_exponential", lambda **_: wait_none())


@pytest.fixture(scope="module")
def published(transformers, tmp_path_factory) -> Path:
    """A model as the hub has it: whole, in parts, and as it had models before."""
    tmp_path = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    config = transformers.EsmConfig(
        vocab_size=33, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        position_embedding_type="rotary", pad_token_id=1, mask_token_id=32, layer_norm_eps=1e-5, token_dropout=True,
        max_position_embeddings=60,
    )  # fmt: skip
    model = transformers.EsmForMaskedLM(config)
    for size, name in (("5GB", "whole"), ("20KB", "parts")):
        model.save_pretrained(tmp_path / name, max_shard_size=size)
    config.save_pretrained(tmp_path / "older")
    torch.save(model.state_dict(), tmp_path / "older/pytorch_model.bin")
    for name in ("whole", "parts", "older"):
        (tmp_path / name / "vocab.txt").write_text("\n".join(alphabet.TOKENS))
    return tmp_path


@pytest.fixture
def folder(published, tmp_path) -> Path:
    """A copy of one's own."""
    return shutil.copytree(published, tmp_path / "hub")


def serve(httpserver, folder: Path) -> None:
    """Answer for the files of a folder, and with 404 for any other."""

    def answer(request):
        path = folder / request.path.removeprefix(f"{BASE}/")
        return Response(path.read_bytes()) if path.is_file() else Response("no", status=404)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)


@pytest.mark.parametrize("form", ["whole", "parts", "older"])
def test_command_downloads_once_and_converts(httpserver, folder, tmp_path, form):
    serve(httpserver, folder / form)
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    settings = TrunkSettings(model=NAME, hub=httpserver.url_for("/"))
    for _ in range(2):
        command(weights, description, tmp_path / "kept", None, settings)
        asked = [request.path for request, response in httpserver.log if response.status_code == 200]
        assert len(asked) == len(set(asked))
    about = read_json(description)
    assert about["name"] == "esm2_t6_8M_UR50D" and Trunk.load(weights, description).layers == 2
    source = about["source"]
    assert (source["kind"], source["model"], source["url"]) == ("download", NAME, httpserver.url_for("/"))
    kept = tmp_path / "kept" / NAME
    assert source["files"] == {name: file_sha256(kept / name) for name in source["files"]}
    assert {"parts": 4, "whole": 2, "older": 2}[form] <= len(source["files"])


def test_the_sha256_that_the_hub_states_is_kept_to(httpserver, folder, tmp_path):
    content = (folder / "whole/model.safetensors").read_bytes()
    state = {"sha256": "0" * 64}
    for path in (folder / "whole").iterdir():
        if path.name != "model.safetensors":
            httpserver.expect_request(f"{BASE}/{path.name}").respond_with_data(path.read_bytes())

    def redirect(_):
        headers = {"X-Linked-Etag": f'"{state["sha256"]}"', "Location": httpserver.url_for("/cdn/blob")}
        return Response(status=302, headers=headers)

    httpserver.expect_request(f"{BASE}/model.safetensors").respond_with_handler(redirect)
    httpserver.expect_request("/cdn/blob").respond_with_data(content)
    with pytest.raises(FoldgraftError, match=f"its sha256 is not {'0' * 64}, which the server states"):
        download_hub(NAME, tmp_path / "kept", httpserver.url_for(""))
    assert not (tmp_path / "kept" / NAME / "model.safetensors").exists()
    state["sha256"] = hashlib.sha256(content).hexdigest()
    kept = download_hub(NAME, tmp_path / "kept", httpserver.url_for(""))
    assert (kept / "model.safetensors").read_bytes() == content


def test_files_put_by_hand_are_enough(folder, tmp_path):
    kept = tmp_path / "kept" / NAME
    kept.parent.mkdir(parents=True)
    (folder / "older").rename(kept)
    assert download_hub(NAME, tmp_path / "kept", "http://127.0.0.1:9") == kept


def test_a_hub_without_weights(httpserver, folder, tmp_path):
    (folder / "whole/model.safetensors").unlink()
    serve(httpserver, folder / "whole")
    with pytest.raises(FoldgraftError, match=r"has none of model\.safetensors, .*; where there is a network, fetch"):
        download_hub(NAME, tmp_path / "kept", httpserver.url_for(""))


def test_offline_says_what_to_put_where(tmp_path):
    with pytest.raises(FoldgraftError) as caught:
        download_hub(NAME, tmp_path / "kept", "http://127.0.0.1:9")
    said = str(caught.value)
    assert f"http://127.0.0.1:9{BASE}" in said and str(tmp_path / "kept" / NAME) in said and "\n" not in said


def test_an_index_that_names_files_elsewhere(httpserver, folder, tmp_path):
    (folder / "parts/model.safetensors.index.json").write_text('{"weight_map": {"a": "../../x.safetensors"}}')
    serve(httpserver, folder / "parts")
    with pytest.raises(FoldgraftError, match=r"index\.json: is no index of shards"):
        download_hub(NAME, tmp_path / "kept", httpserver.url_for(""))


def test_a_file_larger_than_expected(httpserver, folder, tmp_path, monkeypatch):
    serve(httpserver, folder / "whole")
    monkeypatch.setitem(HUB, NAME, 1000)
    with pytest.raises(FoldgraftError, match="1000 were expected at most"):
        download_hub(NAME, tmp_path / "kept", httpserver.url_for(""))
