"""Exactly one source, and what is refused before any job runs."""

import json
import re

import pytest
import torch
from pydantic import ValidationError
from running import ROOT, planned, snakemake
from safetensors.numpy import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.plan import configure
from foldgraft.trunk.pretraining.settings import PretrainSettings
from foldgraft.trunk.settings import DEFAULT_MODEL, TrunkSettings


def test_default_is_the_smallest_model():
    settings = TrunkSettings()
    assert (settings.model, settings.source) == (DEFAULT_MODEL, "model")
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"model": "esm2_t12_35M_UR50D"}, "model"),
        ({"model": "esm1b_t33_650M_UR50S"}, "model"),
        ({"checkpoint": "x.pt"}, "checkpoint"),
        ({"pretrain": {}}, "pretrain"),
    ],
)
def test_each_source_survives_json(given, source):
    settings = TrunkSettings(**given)
    assert settings.source == source
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": DEFAULT_MODEL, "pretrain": {}}, "only one of"),
        ({"model": "esm1_t6_43M_UR50S"}, "an ESM-1 cannot be a trunk"),
        ({"model": "esm2_t6"}, "may be one of esm2_t6_8M_UR50D"),
        ({"url": "file:///etc"}, "url"),
        ({"hub": "ftp://x"}, "hub"),
        ({"model": "facebook/esm2_t6"}, "may be one of esm2_t6_8M_UR50D, .*, facebook/esm2_t48_15B_UR50D"),
        ({"pretrain": {}, "adapter": "x"}, "adapter goes with model or checkpoint"),
        ({"pretrain": {"width": 30, "heads": 4}}, "even multiple"),
        ({"pretrain": {"width": 20, "heads": 4}}, "even multiple"),
        ({"pretrain": {"dim": 128}}, "dim"),
        (
            {"pretrain": {"from": DEFAULT_MODEL, "layers": 2, "heads": 4}},
            "layers and heads: the shape is that of `from`",
        ),
        ({"pretrain": {"start": DEFAULT_MODEL}}, "start"),
    ],
)
def test_refused(given, reason):
    with pytest.raises(ValidationError, match=reason):
        TrunkSettings(**given)


def test_pretraining_is_always_bounded():
    assert PretrainSettings().minutes == 5
    assert PretrainSettings(steps=3).minutes is None
    assert (PretrainSettings(steps=3, minutes=2).minutes, PretrainSettings(steps=0).steps) == (2, 0)


def test_going_on_takes_shape_and_a_small_rate_from_what_it_goes_on_from():
    settings = TrunkSettings(pretrain={"from": "mine/model.safetensors", "steps": 10})
    assert (settings.pretrain.layers, settings.pretrain.learning_rate) == (None, 1e-4)
    assert (str(settings.local), settings.published, settings.source) == ("mine/model.safetensors", None, "pretrain")
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings
    given = TrunkSettings(pretrain={"from": DEFAULT_MODEL, "learning_rate": 3e-4})
    assert (given.published, given.local, given.pretrain.learning_rate) == (DEFAULT_MODEL, None, 3e-4)


def test_what_is_downloaded_and_what_converted():
    assert (TrunkSettings().published, TrunkSettings().local) == (DEFAULT_MODEL, None)
    assert str(TrunkSettings(checkpoint="x.pt").local) == "x.pt"
    scratch = TrunkSettings(pretrain={"layers": None})
    assert (scratch.published, scratch.local, scratch.pretrain.layers) == (None, None, 4)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"checkpoint": "none.pt"}, r"trunk\.checkpoint: /.*/none\.pt does not exist"),
        ({"pretrain": {"from": "none.pt"}}, r"trunk\.pretrain\.from: /.*/none\.pt does not exist"),
        ({"checkpoint": "empty"}, r"trunk\.checkpoint: empty: has neither config\.json"),
        ({"adapter": "empty"}, r"trunk\.adapter: empty: is no PEFT adapter: it has no adapter_config\.json"),
        ({"pretrain": {"corpus": ["none*.xz"]}}, r"trunk\.pretrain\.corpus: 'none\*\.xz' matches no file"),
        ({"pretrain": {"valid": "none.xz"}}, r"trunk\.pretrain\.valid: /.*/none\.xz does not exist"),
    ],
)
def test_a_missing_file_stops_before_any_job(tmp_path, monkeypatch, given, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FoldgraftError, match=reason):
        configure({"synth": {}, "trunk": given}, check=True)


def test_the_rule_hands_on_what_is_learnt_from_and_kept_away_from(tmp_path):
    for name in ("a.txt", "b.txt", "valid.txt"):
        (tmp_path / name).write_text("MKT\n")
    for name in ("start.pt", "start-contact-regression.pt"):
        torch.save({}, tmp_path / name)
    pretrain = {"from": "start.pt", "corpus": ["[ab].txt"], "valid": "valid.txt", "steps": 1}
    config = {
        "run": "x",
        "synth": {"families": 8, "labels": 80},
        "trunk": {"pretrain": pretrain},
        "experiments": {"solubility": {"task": "solubility", "cross_validate": True}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = snakemake(tmp_path, "trunk", "-n", "-p", "--configfile", "config.json", snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout)
    assert jobs["trunk_convert"] == jobs["trunk_pretrain"] == 1 and "fetch_sequences" not in jobs
    words = " ".join(done.stdout.partition(" trunk pretrain ")[2].split())
    assert (
        "--text a.txt --text b.txt" in words
        and "--valid valid.txt" in words
        and "--cross-validated solubility" in words
    )
    assert "--start results/x/trunk/start/model.safetensors" in words
    assert "--checkpoint start.pt" in done.stdout and "start.pt, start-contact-regression.pt" in done.stdout


def test_conversion_reads_the_files_of_a_folder_in_resources_and_takes_memory_by_their_size(tmp_path):
    mine = tmp_path / "resources/mine"
    mine.mkdir(parents=True)
    (mine / "trunk.json").write_text("{}")
    size = 2_200_000_000  # above what every conversion is given, and soon hashed
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with (mine / "model.safetensors").open("wb") as large:
        large.write(len(header).to_bytes(8, "little") + header)
        large.truncate(8 + len(header) + size)
    config = {"run": "x", "synth": {"families": 8, "labels": 80}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = snakemake(tmp_path, "trunk", "-n", "-p", "--configfile", "config.json", snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "input: resources/mine/model.safetensors, resources/mine/trunk.json" in done.stdout
    assert done.stderr.count("trunk: resources/mine, the checkpoint in resources/, since no key names another") == 1
    assert 4 * 2_090 < int(re.search(r"mem_mb=(\d+)", done.stdout)[1]) < 4 * 2_210


def test_every_file_of_a_folder_and_of_an_adapter_is_an_input(tmp_path):
    (tmp_path / "esm").mkdir()
    (tmp_path / "lora").mkdir()
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    for name, content in (
        ("esm/config.json", {"model_type": "esm"}),
        ("esm/model.safetensors.index.json", index),
        ("lora/adapter_config.json", {}),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    for name in (*(f"esm/{shard}" for shard in shards), "lora/adapter_model.safetensors"):
        save_file({}, tmp_path / name)
    trunk = {"pretrain": {"steps": 3}}  # the command line takes its place
    (tmp_path / "config.json").write_text(
        json.dumps({"run": "x", "synth": {"families": 8, "labels": 80}, "trunk": trunk})
    )
    given = ("--config", "trunk={checkpoint: esm, adapter: lora}")
    done = snakemake(tmp_path, "trunk", "-n", "-p", "--configfile", "config.json", *given, snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = [*(f"esm/{shard}" for shard in shards), "esm/config.json", "esm/model.safetensors.index.json"]
    wanted += ["lora/adapter_model.safetensors", "lora/adapter_config.json"]
    assert f"input: {', '.join(wanted)}, " in done.stdout
    words = " ".join(done.stdout.partition(" trunk convert ")[2].split())
    assert "--checkpoint esm" in words and "--adapter lora" in words
    (tmp_path / "esm" / shards[1]).unlink()
    done = snakemake(tmp_path, "trunk", "-n", "--configfile", "config.json", *given, snakefile=ROOT / "Snakefile")
    said = done.stdout + done.stderr
    assert (
        done.returncode and f"error: trunk.checkpoint: esm/{shards[1]}: this part of the checkpoint is missing" in said
    )
