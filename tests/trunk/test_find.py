"""Where a published model is looked for."""

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.trunk.find import find, provide, within

NAME = "esm2_t6_8M_UR50D"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No cache but those of the test, and no network."""
    for name in ("FOLDGRAFT_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return path


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
    path = put(home / file)
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
    path = put(home / place)
    assert provide(NAME).resolve() == path.resolve()


def test_without_a_network_one_sentence_says_what_to_put_where(home):
    with pytest.raises(FoldgraftError) as error:
        provide(NAME)
    said = str(error.value)
    assert f"https://dl.fbaipublicfiles.com/fair-esm/models/{NAME}.pt" in said and "\n" not in said
    assert str(home / ".cache/foldgraft/trunks") in said and "--trunk" in said
