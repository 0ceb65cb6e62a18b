"""`foldgraft predict my.fasta`, without a run."""

import gzip
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft import alone, progress
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.fingerprint import as_lists
from foldgraft.models.trunk.identity import Identity
from foldgraft.predict.command import app as stage
from foldgraft.trunk.settings import DEFAULT_MODEL

TEXT = ">a/1-22 first\nMKTAYIAKQRQISFVKSHFSRQ\n>tiny\nMK\n>a/1-22\nGSHMLEDPVDAFWWKRTCYN\n"


@pytest.fixture
def head(folder):
    return folder.head("solubility", {"name": "mlp", "hidden": 8}, layers=(1, 2))


def call(*words, **options):
    result = CliRunner().invoke(alone.app, [str(word) for word in words], **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_table_is_that_of_a_run(folder, head, tmp_path):
    (tmp_path / "new.fasta").write_text(TEXT)
    words = ["--fasta", tmp_path / "new.fasta", "--trunk", folder.weights, "--description", folder.description]
    words += ["--head", head, "--output-predictions", tmp_path / "a.csv", "--output-rejects", tmp_path / "r.csv"]
    CliRunner().invoke(stage, ["sequences", *map(str, words)], catch_exceptions=False)
    said = call("--output", tmp_path / "b.csv", tmp_path / "new.fasta", "--head", head, "--trunk", folder.path)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert "2 of 3 records predicted; why 1 was not is in the column reason" in said.stderr
    found = pd.read_csv(tmp_path / "b.csv")
    assert found["id"].tolist() == ["a/1-22", "tiny", "a/1-22"] and found["solubility"].notna().sum() == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_gives_a_table_on_standard_output(folder, head, tmp_path, pack):
    (tmp_path / "new.fasta").write_text(TEXT)
    options = ("--head", head, "--trunk", folder.weights)
    piped = call("-", *options, input=pack(TEXT.encode()))
    assert piped.stdout == call(tmp_path / "new.fasta", *options).stdout
    assert (
        piped.stdout.splitlines()[0]
        == "id,length,solubility,solubility_low,solubility_high,rank,warning,reason,description"
    )


def test_progress_has_a_total_where_the_file_can_be_counted(folder, head, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    (tmp_path / "new.fasta").write_bytes(gzip.compress(TEXT.encode()))
    options = ("--head", head, "--trunk", folder.weights)
    assert "sequences: 2 of 3, " in call(tmp_path / "new.fasta", *options).stderr
    assert "sequences: 2, " in call("-", *options, input=TEXT).stderr


def test_a_pipe_is_read_like_a_file(folder, head, tmp_path):
    """As of `foldgraft predict <(zcat new.fasta.gz)`."""
    (tmp_path / "new.fasta").write_text(TEXT)
    os.mkfifo(tmp_path / "pipe")
    options = ("--head", head, "--trunk", folder.weights)
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "pipe").write_text, TEXT)
        assert call(tmp_path / "pipe", *options).stdout == call(tmp_path / "new.fasta", *options).stdout


def test_why_a_record_has_no_map_is_told(folder, tmp_path):
    (tmp_path / "new.fasta").write_text(TEXT)
    contact = folder.head("contact", "logistic", ("attention", "separation"), layers=())
    options = ("--head", contact, "--trunk", folder.path, "-o", tmp_path / "maps.parquet")
    said = call(tmp_path / "new.fasta", *options).stderr
    assert "tiny: 2 residues, fewer than 10\n2 of 3 records predicted" in said and "column" not in said


def test_a_dash_writes_to_standard_output_and_a_folder_is_refused_at_once(folder, head, tmp_path, monkeypatch):
    (tmp_path / "new.fasta").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    options = ("new.fasta", "--head", head, "--trunk", folder.weights)
    assert call(*options, "-o", "-").stdout == call(*options).stdout
    refused = call(*options, "-o", tmp_path)
    assert refused.exit_code == 2 and "--output" in refused.stderr and "trunk:" not in refused.stderr
    assert not (tmp_path / "-").exists()


def test_maps_of_pairs_need_a_file(folder, tmp_path):
    (tmp_path / "new.fasta").write_text(TEXT)
    contact = folder.head("contact", "logistic", ("attention", "separation"), layers=())
    with pytest.raises(FoldgraftError, match="name a file with --output"):
        call(tmp_path / "new.fasta", "--head", contact, "--trunk", folder.path)


def test_what_is_missing_is_named(folder, head, tmp_path):
    with pytest.raises(FoldgraftError, match=r"none\.fasta: there is no such file"):
        call(tmp_path / "none.fasta", "--head", head)
    with pytest.raises(FoldgraftError, match="is a folder; name a FASTA file"):
        call(tmp_path, "--head", head)
    with pytest.raises(FoldgraftError, match="'shiny' is neither a file nor one of"):
        call(tmp_path / "none.fasta", "--head", "shiny")


def test_the_stage_has_its_own_commands_still():
    assert "Rank the contacts" in call("contacts", "--help").stdout
    assert {command.callback.__name__ for command in alone.app.registered_commands} >= {"predict_sequences", "fasta"}


@pytest.mark.parametrize(("apart", "words"), [(0.02, ""), (0.06, "differs by 6% in what"), (0.4, None)])
def test_a_trunk_that_computes_nearly_the_same_serves_and_is_named(folder, tmp_path, apart, words):
    known = folder.trunk().fingerprint
    spread = np.linalg.norm(known - known.mean(axis=0))
    moved = known + np.linalg.norm(known - known.mean(axis=0)) * apart / np.sqrt(known.size)
    assert np.linalg.norm(moved - known) == pytest.approx(apart * spread, rel=1e-3)
    own = Identity(name="own", sha256="0" * 64, fingerprint=as_lists(moved))
    head = folder.head("solubility", {"name": "mlp", "hidden": 8}, layers=(1, 2), trunk=own)
    (tmp_path / "new.fasta").write_text(TEXT)
    options = (tmp_path / "new.fasta", "--head", head, "--trunk", folder.path)
    if words is None:
        with pytest.raises(FoldgraftError, match="30% are allowed"):
            call(*options)
    else:
        found = call(*options)
        assert words in found.stderr and ("expect other scores" in found.stderr) == bool(words)
        assert found.stdout.count("the trunk differs by 6% from") == (2 if words else 0)  # in each row with a score


@pytest.fixture
def cached(folder, tmp_path, monkeypatch):
    """Another trunk under the published model's name, in the hub's cache."""
    place = tmp_path / f"hub/models--facebook--{DEFAULT_MODEL}/snapshots/0a1b"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"another")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("cached")
def test_the_trunk_given_is_the_one_opened_whatever_lies_in_caches(folder, head, tmp_path):
    (tmp_path / "new.fasta").write_text(TEXT)
    for given in (folder.path, folder.weights):
        said = call(tmp_path / "new.fasta", "--head", head, "--trunk", given).stderr
        assert f"trunk: small, {given}\n" in said
    for missing in ("none", "none.pt"):
        with pytest.raises(FoldgraftError, match=rf"{missing} does not exist; name a checkpoint"):
            call(tmp_path / "new.fasta", "--head", head, "--trunk", tmp_path / missing)
