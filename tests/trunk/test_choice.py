"""Which trunk a configuration means: the key given last, or the one checkpoint in `resources/`."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.manual import check
from foldgraft.plan import configure
from foldgraft.trunk.choice import checkpoints, choose
from foldgraft.trunk.settings import DEFAULT_MODEL

ESM = {"model_type": "esm", "vocab_size": 33}


@pytest.fixture
def resources(tmp_path, monkeypatch) -> Path:
    """An empty `resources/` of a working directory that has a folder of data too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "resources/store/trunks/esm2").mkdir(parents=True)
    return tmp_path / "resources"


def hugging_face(folder: Path, config=ESM) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({}, folder / "model.safetensors")
    return folder


def test_the_one_checkpoint_in_resources_is_taken_and_told(resources, capsys):
    hugging_face(resources / "esm2-8m")
    hugging_face(resources / "of-something-else", {"model_type": "bert"})
    hugging_face(resources / ".half-way")
    (resources / "3Dmol-min.js").write_text("")
    config = configure({"synth": {}}, check=True)
    assert str(config.trunk.checkpoint) == "resources/esm2-8m" and config.trunk.model is None
    assert capsys.readouterr().err == (
        "trunk: resources/esm2-8m, the checkpoint in resources/, since no key names another\n"
    )
    assert configure({"synth": {}, "trunk": {"model": "esm2_t12_35M_UR50D"}}, check=True).trunk.checkpoint is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("data", ["data", "absolute", "link"])
def test_the_path_leads_there_from_wherever_the_data_are(resources, data):
    found, given = hugging_face(resources / "esm2-8m"), {"absolute": str(resources.parent / "data")}.get(data, data)
    (resources.parent / "elsewhere/deep").mkdir(parents=True)
    (resources.parent / "link").symlink_to(resources.parent / "elsewhere/deep")
    values, _ = choose({"data": given}, [])
    assert (Path(given) / values["trunk"]["checkpoint"]).samefile(found)
    assert data != "data" or values["trunk"]["checkpoint"] == "../resources/esm2-8m"


def test_files_of_fair_esm_and_own_trunks_are_found(resources):
    for name in ("esm2.pt", "esm2-contact-regression.pt", "esmc.pth", "notes.txt"):
        (resources / name).write_bytes(b"")
    (resources / "own").mkdir()
    (resources / "own/trunk.json").write_text("{}")
    assert [path.name for path in checkpoints(resources)] == ["esm2.pt", "esmc.pth", "own"]
    assert checkpoints(resources / "none") == []


def test_what_else_is_wrong_is_told_by_the_settings(resources):
    hugging_face(resources / "esm2-8m")
    for values, words in (({"data": 5}, "data: it must be a text"), ({"trunk": "esm2"}, "trunk: it must be a section")):
        with pytest.raises(FoldgraftError, match=words):
            configure({"synth": {}, **values}, check=False)


def test_two_checkpoints_are_both_named(resources):
    hugging_face(resources / "a"), hugging_face(resources / "b")
    with pytest.raises(FoldgraftError, match=r"there are resources/a and resources/b; name one as trunk\.checkpoint"):
        configure({"synth": {}}, check=False)


def test_without_any_the_default_is_downloaded_and_a_broken_one_is_told(resources):
    assert configure({"synth": {}}, check=True).trunk.model == DEFAULT_MODEL
    shutil.rmtree(resources)
    assert configure({"synth": {}}, check=True).trunk.model == DEFAULT_MODEL
    (hugging_face(resources / "a") / "model.safetensors").unlink()
    with pytest.raises(FoldgraftError, match=r"trunk\.checkpoint: resources/a: has a config\.json but no weights"):
        configure({"synth": {}}, check=True)


def test_the_source_given_last_counts():
    merged = {"trunk": {"pretrain": {"steps": 5}, "checkpoint": "x.pt", "hub": "https://mirror"}}
    layers = [{"trunk": {"pretrain": {"steps": 5}, "hub": "https://mirror"}}, {}, {"trunk": {"checkpoint": "x.pt"}}]
    values, told = choose(merged, layers)
    assert values["trunk"] == {"checkpoint": "x.pt", "hub": "https://mirror"}
    assert told == "trunk: its key checkpoint, given last, takes the place of pretrain"
    adapted = {"checkpoint": "x.pt", "adapter": "lora"}
    merged_too = {"trunk": {**adapted, "model": "esm2_t6_8M_UR50D"}}
    values, told = choose(merged_too, [{"trunk": adapted}, {"trunk": {"model": "esm2_t6_8M_UR50D"}}])
    assert values["trunk"] == {"model": "esm2_t6_8M_UR50D"} and told.endswith("the place of checkpoint and adapter")
    again = {"trunk": {"model": "esm2_t6_8M_UR50D", "adapter": "lora"}}
    assert choose(merged_too, [{"trunk": adapted}, again])[0] == again
    assert choose(merged, layers[::-1])[0]["trunk"].keys() == {"pretrain", "hub"}
    assert choose(merged, [merged]) == (merged, "")  # one file that names two is refused by the settings
    assert choose({"trunk": "esm2"}, []) == ({"trunk": "esm2"}, "")


def test_files_that_are_checked_add_to_each_other(resources, capsys):
    hugging_face(resources.parent / "data/esm2")
    first, second = resources.parent / "first.yaml", resources.parent / "second.yaml"
    first.write_text(yaml.safe_dump({"synth": {}, "trunk": {"pretrain": {"steps": 5}}}))
    second.write_text(yaml.safe_dump({"trunk": {"checkpoint": "data/esm2"}}))
    check([first, second])
    assert "checkpoint, given last, takes the place of pretrain" in capsys.readouterr().err
