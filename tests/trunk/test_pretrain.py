"""Pretraining: it learns what can be learnt, says what it is worth, and repeats itself exactly."""

import math
import subprocess
import sys
import time

import esm
import numpy as np
import pandas as pd
import pytest
import torch

from foldgraft.models import alphabet
from foldgraft.models.trunk import Trunk
from foldgraft.records import index, split
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import read_json, sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.pretrain import HISTORY, Budget, Examination, learning_rate, new_network, pretrain
from foldgraft.trunk.settings import PretrainSettings

CPU = torch.device("cpu")
SMALL = {"layers": 2, "width": 32, "heads": 2, "batch_tokens": 1024, "crop_length": 48, "valid_every": 20}


def repeats(count: int, seed: int) -> Corpus:
    """Sequences that repeat a random pair of letters: easy to guess from context, hopeless from frequencies."""
    generator = np.random.default_rng(seed)
    return Corpus.of(["".join(generator.choice(list("ACDEFGHIKL"), 2)) * 24 for _ in range(count)])


def test_context_is_learnt_where_there_is_some():
    settings = PretrainSettings(steps=120, **SMALL)
    network, history, summary = pretrain(repeats(400, 0), repeats(40, 1), settings, CPU)
    assert list(history[0]) == HISTORY and [row["step"] for row in history] == [0, 20, 40, 60, 80, 100, 120]
    assert math.isnan(history[0]["train_loss"]) and not network.training
    assert summary["unigram_perplexity"] == pytest.approx(10, rel=0.1)
    assert summary["valid_perplexity"] == history[-1]["valid_perplexity"] < 0.5 * summary["unigram_perplexity"]
    assert summary["tokens"] == history[-1]["tokens"] > 100 * 900


def test_steps_and_seed_determine_the_trunk():
    def weights(seed: int) -> list[np.ndarray]:
        settings = PretrainSettings(steps=3, seed=seed, **SMALL)
        return [p.detach().numpy() for p in pretrain(repeats(50, 0), repeats(5, 1), settings, CPU)[0].parameters()]

    first, again, other = weights(0), weights(0), weights(1)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not all((a == b).all() for a, b in zip(first, other, strict=True))


def test_no_steps_leave_a_random_trunk_that_guesses_by_frequency():
    settings = PretrainSettings(steps=0, **SMALL)
    _, history, summary = pretrain(repeats(100, 0), repeats(10, 1), settings, CPU)
    assert len(history) == 1 and summary["steps"] == 0
    assert summary["valid_perplexity"] == pytest.approx(summary["unigram_perplexity"], rel=0.1)


def test_time_bounds_too():
    settings = PretrainSettings(minutes=1 / 60, **SMALL)
    start = time.monotonic()
    _, _, summary = pretrain(repeats(100, 0), repeats(5, 1), settings, CPU)
    assert summary["steps"] > 0 and time.monotonic() - start < 10


def test_budget_is_the_nearer_of_the_two():
    budget = Budget(steps=10, seconds=100.0)
    budget.start()
    assert budget.spent(5) == 0.5 and budget.spent(10) == 1
    budget.begun -= 80
    assert budget.spent(5) == pytest.approx(0.8, abs=0.01)


def test_learning_rate_warms_up_holds_and_falls():
    settings = PretrainSettings(learning_rate=1e-2, warmup_steps=10, decay=0.5)
    assert learning_rate(settings, 0, 0.0) == pytest.approx(1e-3)
    assert learning_rate(settings, 20, 0.4) == pytest.approx(1e-2)
    assert learning_rate(settings, 20, 0.75) == pytest.approx(5e-3)
    assert learning_rate(settings, 20, 1.0) == 0


@torch.no_grad()
def test_perplexity_is_that_of_fair_esm_on_masked_positions():
    settings = PretrainSettings(**{**SMALL, "batch_tokens": 10_000})
    valid = Corpus.of(["MKTAYIAKQRQISFVKSHFSRQLEERLGL", "ACDEFGHIKLMNPQRSTVWY"])
    network = new_network(settings, valid.frequencies())
    exam = Examination(valid, settings)
    model = esm.ESM2(2, 32, 2).eval()
    model.load_state_dict(network.state_dict() | {"lm_head.weight": network.embed_tokens.weight}, strict=False)
    (tokens,), (selected,) = exam.batches, exam.selected
    hidden = torch.from_numpy(np.where(selected, alphabet.MASK, tokens).astype(np.int64))
    chances = model(hidden)["logits"].softmax(-1)[torch.from_numpy(selected)].numpy()
    truth = tokens[selected]
    expected = np.exp(-np.log(chances[np.arange(len(truth)), truth]).mean())
    assert exam.perplexity(network) == pytest.approx(expected, rel=1e-4)
    assert exam.unigram(valid.frequencies()) == pytest.approx(np.exp(-np.log(valid.frequencies()[truth]).mean()))


@pytest.fixture
def run_files(tmp_path):
    """Sequences, a split with one test protein, and the index that holds it."""
    generator = np.random.default_rng(0)
    sequences = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 80)) for _ in range(30)]
    test = sequences[0]
    write_fasta(tmp_path / "sequences.fasta.gz", [(f"s{n}", s) for n, s in enumerate([*sequences, "W" + test[1:]])])
    name = sequence_sha256(test)
    row = {"id": "a", "set": "structures", "sequence_sha256": name, "cluster": 0, "split": "test", "fold": 0}
    write_frame(tmp_path / "split.parquet", pd.DataFrame([row]), split.SPLIT)
    row = {"id": "a", "entry": "a", "sequence": test, "sequence_sha256": name, "length": 80, "resolved_fraction": 1.0}
    write_frame(tmp_path / "index.parquet", pd.DataFrame([row | {"shard": "files-00000"}]), index.SCHEMA)
    return tmp_path


def test_command_leaves_out_what_is_near_the_test_split(run_files):
    outputs = [run_files / name for name in ("model.safetensors", "trunk.json", "history.csv")]
    named = zip(("--weights", "--description", "--history"), map(str, outputs), strict=True)
    command = [sys.executable, "-m", "foldgraft", "trunk", "pretrain", *[word for pair in named for word in pair]]
    command += ["--sequences", str(run_files / "sequences.fasta.gz"), "--split", str(run_files / "split.parquet")]
    command += ["--index", str(run_files / "index.parquet")]
    command += ["--settings", '{"pretrain": {"layers": 1, "width": 16, "heads": 2, "steps": 2}}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = read_json(outputs[1])
    learnt = about["pretraining"]
    assert about["name"] == "pretrained-1x16" and about["source"] == {"kind": "pretrain"}
    assert (learnt["sequences"], learnt["test_proteins"], learnt["left_out_near_test"]) == (31, 1, 2)
    assert learnt["train_sequences"] + learnt["valid_sequences"] == 29
    assert list(pd.read_csv(outputs[2])) == HISTORY
    assert Trunk.load(*outputs[:2]).layers == 1
