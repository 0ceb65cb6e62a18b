"""Where a published model is looked for, and what is done about what lies there in part."""

import json
import re

import pytest
from safetensors.torch import save_file
from tenacity import wait_none
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.files import file_sha256, write_json
from foldgraft.trunk import download as download_module
from foldgraft.trunk import find as module
from foldgraft.trunk.find import find, provide, within
from foldgraft.trunk.settings import TrunkSettings

NAME = "esm2_t6_8M_UR50D"
REGRESSION = f"{NAME}-contact-regression.pt"
HUB = f"/facebook/{NAME}/resolve/main"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No cache but those of the test, no network, and no waiting between attempts."""
    for name in ("FOLDGRAFT_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(download_module, "wait_exponential", lambda **_: wait_none())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(httpserver, monkeypatch):
    """Stands for both places that publish models; its files are told by no sha256."""
    address = httpserver.url_for("")
    monkeypatch.setattr(module, "TrunkSettings", lambda: TrunkSettings(url=address, hub=address))
    monkeypatch.setattr(download_module, "PINNED", {})
    return httpserver


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"model_type": "esm"}')
    return path


def put_whole(path):
    """A checkpoint, from one of its files."""
    other = "model.safetensors" if path.name == "config.json" else f"{path.stem}-contact-regression.pt"
    put(path.with_name(other))
    return put(path)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (f"given/{NAME}.pt", f"given/{NAME}.pt"),
        (f"given/{NAME}/config.json", f"given/{NAME}"),
        (f"given/facebook/{NAME}/config.json", f"given/facebook/{NAME}"),
        (f".cache/huggingface/hub/models--facebook--{NAME}/snapshots/0a1b/config.json", None),
        (f".cache/torch/hub/checkpoints/{NAME}.pt", f".cache/torch/hub/checkpoints/{NAME}.pt"),
    ],
)
def test_the_usual_places_are_looked_into(home, file, found):
    path = put_whole(home / file)
    assert find(NAME, home / "given") == (home / found if found else path.parent)
    assert find("esm2_t12_35M_UR50D", home / "given") is None


def test_a_folder_given_holds_the_model_or_is_one(home):
    put(home / f".cache/torch/hub/checkpoints/{NAME}.pt")
    assert within(home / "given", NAME) is None
    path = put(home / f"given/{NAME}.pt")
    put(home / "given/esm2_t12_35M_UR50D.pt")
    assert within(home / "given", NAME) == path and within(path, NAME) is None
    put(home / "given/config.json")
    assert within(home / "given", NAME) is None


@pytest.mark.parametrize("place", [f".cache/foldgraft/trunks/{NAME}.pt", f"resources/store/trunks/{NAME}.pt"])
def test_what_was_kept_is_not_fetched(home, place):
    path = put_whole(home / place)
    assert provide(NAME).resolve() == path.resolve()


def test_without_a_network_one_sentence_says_what_to_put_where(home):
    with pytest.raises(FoldgraftError) as error:
        provide(NAME)
    said = str(error.value)
    assert f"https://dl.fbaipublicfiles.com/fair-esm/models/{NAME}.pt" in said and "\n" not in said
    assert str(home / ".cache/foldgraft/trunks") in said and "--trunk" in said


@pytest.mark.parametrize(
    "file",
    [
        f"given/{NAME}.pt",
        f"given/{NAME}/config.json",
        f".cache/huggingface/hub/models--facebook--{NAME}/snapshots/0a1b/config.json",
        f".cache/torch/hub/checkpoints/{NAME}.pt",
    ],
)
def test_what_lies_there_in_part_is_not_found(home, file):
    path = put(home / file)
    assert find(NAME, home / "given") is None
    put_whole(path)
    assert find(NAME, home / "given") is not None


def test_a_part_that_an_index_names_must_be_there(home):
    folder = put(home / f"given/{NAME}/config.json").parent
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}))
    put(folder / "a.safetensors")
    assert find(NAME, home / "given") is None
    put(folder / "b.safetensors")
    assert find(NAME, home / "given") == folder


def test_an_interrupted_download_of_the_hub_is_taken_up_again(home, server):
    here = {f"{HUB}/{name}": b'{"model_type": "esm"}' for name in ("config.json", "vocab.txt")}

    def answer(request):
        return Response(here[request.path]) if request.path in here else Response("no", status=404)

    server.expect_request(re.compile(".*")).respond_with_handler(answer)
    with pytest.raises(FoldgraftError, match="could not be downloaded"):
        provide(NAME)
    kept = home / f".cache/foldgraft/trunks/facebook/{NAME}"
    assert (kept / "config.json").is_file()
    here[f"{HUB}/model.safetensors"] = b"weights"
    assert provide(NAME) == kept and (kept / "model.safetensors").read_bytes() == b"weights"
    asked = [request.path for request, response in server.log if response.status_code == 200]
    assert sorted(asked) == sorted(here)


def test_a_missing_contact_regression_is_fetched_or_told(home, server, capsys):
    path = put(home / f".cache/foldgraft/trunks/{NAME}.pt")
    assert provide(NAME) == path
    assert f"{path}: has no contact regression beside it" in capsys.readouterr().err
    server.expect_request(f"/regression/{REGRESSION}").respond_with_data(b"regression")
    assert provide(NAME) == path and path.with_name(REGRESSION).read_bytes() == b"regression"
    assert "no contact regression" not in capsys.readouterr().err


def test_another_checkpoint_in_resources_is_taken_only_if_it_has_the_models_architecture(home):
    put(home / "resources/a_config_alone/config.json")
    for name, sizes in (("b_small", (2, 24, 3)), ("tuned", (6, 320, 20))):
        with pytest.raises(FoldgraftError, match="could not be downloaded"):
            provide(NAME)
        architecture = Architecture(*sizes)
        weights = put(home / f"resources/{name}/model.safetensors")
        save_file(build_network(architecture).state_dict(), weights)
        about = {"name": name, "sha256": file_sha256(weights), "architecture": architecture.as_dict()}
        write_json(weights.with_name("trunk.json"), about)
    assert provide(NAME).resolve() == home / "resources/tuned"
