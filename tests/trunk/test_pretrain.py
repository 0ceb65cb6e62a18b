"""Pretraining: it learns what can be learnt, says what it is worth, and repeats itself exactly."""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from itertools import islice

import esm
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records import index, split
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import read_json, sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.trunk.command import app
from foldgraft.trunk.pretraining.batches import Batch, Cursor, endless_batches
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.settings import PretrainSettings
from foldgraft.trunk.pretraining.training import HISTORY, Budget, learning_rate, new_network, pretrain
from foldgraft.trunk.pretraining.validation import Validation

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
    assert history[0]["train_loss"] is None and not network.training
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


def merged(one, other):
    """Two batches as one: rows of the shorter padded, positions counted anew."""
    width = max(batch.inputs.shape[1] for batch in (one, other))
    rows, positions, before = [], [], 0
    for batch in (one, other):
        beyond = ((0, 0), (0, width - batch.inputs.shape[1]))
        rows.append(np.pad(batch.inputs, beyond, constant_values=alphabet.PAD))
        row, column = np.divmod(batch.positions, batch.inputs.shape[1])
        positions.append((row + before) * width + column)
        before += len(batch.inputs)
    targets = np.concatenate([one.targets, other.targets])
    return Batch(np.concatenate(rows), np.concatenate(positions), targets, one.tokens + other.tokens)


def test_accumulating_two_batches_is_learning_from_one_that_is_both(monkeypatch):
    """Batches of other lengths and with other numbers of masked residues; weights, losses and tokens of three steps."""
    generator = np.random.default_rng(0)
    lengths = [40, 16] * 40
    corpus = Corpus.of(["".join(generator.choice(list("ACDEFGHIKL"), length)) for length in lengths])
    split = PretrainSettings(steps=3, accumulate=2, warmup_steps=0, decay=0, **SMALL | {"batch_tokens": 128})
    stream = endless_batches(corpus, split, Cursor())
    batches = [batch for _, batch in islice(stream, 6)]
    assert len({len(batch.positions) for batch in batches}) > 2

    def of(made):
        return lambda corpus, settings, start: ((Cursor(0, n), batch) for n, batch in enumerate(made, 1))

    found = []
    pairs = [merged(*batches[k : k + 2]) for k in (0, 2, 4)]
    for settings, made in ((split, batches), (split.model_copy(update={"accumulate": 1}), pairs)):
        monkeypatch.setattr("foldgraft.trunk.pretraining.training.endless_batches", of(made))
        network, history, summary = pretrain(corpus, repeats(5, 1), settings, CPU)
        assert summary["steps"] == 3
        found.append((network.state_dict(), history[-1], summary["tokens"]))
    (weights, row, tokens), (again, row_again, tokens_again) = found
    assert tokens == tokens_again == sum(batch.tokens for batch in batches)
    assert row["train_loss"] == pytest.approx(row_again["train_loss"], rel=1e-5)
    for name, tensor in weights.items():
        assert torch.allclose(tensor, again[name], atol=2e-5), name
    start = new_network(split, corpus.frequencies()).state_dict()
    assert max((weights[name] - start[name]).abs().max() for name in weights) > 1e-3  # they moved


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
    assert summary["tokens_per_second"] == pytest.approx(summary["tokens"] / summary["seconds"], rel=0.1)


def test_budget_is_the_nearer_of_the_two():
    budget = Budget(steps=10, seconds=100.0)
    assert (budget.spent(5, 10), budget.spent(5, 80), budget.spent(10, 0)) == (0.5, 0.8, 1)
    assert Budget(0, None).spent(0, 0) == 1


def test_learning_rate_warms_up_holds_and_falls():
    settings = PretrainSettings(learning_rate=1e-2, warmup_steps=10, decay=0.5)
    assert learning_rate(settings, 0, 0.0) == pytest.approx(1e-3)
    assert learning_rate(settings, 20, 0.4) == pytest.approx(1e-2)
    assert learning_rate(settings, 20, 0.75) == pytest.approx(5e-3)
    assert learning_rate(settings, 20, 1.0) == 0
    assert learning_rate(settings.model_copy(update={"decay": 0.0}), 20, 1.0) == 1e-2


@torch.no_grad()
def test_perplexity_is_that_of_fair_esm_on_masked_positions():
    settings = PretrainSettings(**{**SMALL, "batch_tokens": 10_000})
    valid = Corpus.of(["MKTAYIAKQRQISFVKSHFSRQLEERLGL", "ACDEFGHIKLMNPQRSTVWY"])
    network = new_network(settings, valid.frequencies())
    validation = Validation(valid, settings)
    model = esm.ESM2(2, 32, 2).eval()
    model.load_state_dict(network.state_dict() | {"lm_head.weight": network.embed_tokens.weight}, strict=False)
    (batch,) = validation.batches
    assert (batch.inputs.reshape(-1)[batch.positions] == alphabet.MASK).all() and len(batch.positions) >= 2
    chances = model(torch.from_numpy(batch.inputs.astype(np.int64)))["logits"].softmax(-1).flatten(0, 1)
    chances, truth = chances[batch.positions].numpy(), batch.targets
    expected = np.exp(-np.log(chances[np.arange(len(truth)), truth]).mean())
    assert validation.perplexity(network) == pytest.approx(expected, rel=1e-4)
    assert validation.unigram(valid.frequencies()) == pytest.approx(np.exp(-np.log(valid.frequencies()[truth]).mean()))


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
    row |= {"released": None, "organism": None, "shard": "files-00000"}
    write_frame(tmp_path / "index.parquet", pd.DataFrame([row]), index.SCHEMA)
    return tmp_path


def command(folder, output: str, *more: str, **plan) -> list[str]:
    """The call of a pretraining of the run's files, its outputs in a folder of their own."""
    outputs = [folder / output / name for name in ("model.safetensors", "trunk.json", "history.csv")]
    named = zip(("--weights", "--description", "--history"), map(str, outputs), strict=True)
    plan = plan if "from" in plan else {"layers": 1, "width": 16, "heads": 2} | plan
    return [
        *("pretrain", *[word for pair in named for word in pair]),
        *("--split", str(folder / "split.parquet"), "--index", str(folder / "index.parquet")),
        *("--settings", json.dumps({"pretrain": plan}), *more),
    ]


def run(words: list[str]) -> str:
    """What a trunk command says in the log; it must end well."""
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stderr


def process(words: list[str], **options) -> subprocess.Popen:
    """The command in a process of its own; one thread, as here, so that results repeat bit by bit."""
    line = [sys.executable, "-m", "foldgraft", "trunk", *words]
    return subprocess.Popen(line, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options)


def test_command_leaves_out_what_is_near_the_test_split(run_files):
    run(command(run_files, "out", "--sequences", str(run_files / "sequences.fasta.gz"), steps=2))
    about = read_json(run_files / "out/trunk.json")
    learnt = about["pretraining"]
    assert about["name"] == "pretrained-1x16" and about["source"] == {"kind": "pretrain"}
    assert (learnt["sequences"], learnt["test_proteins"], learnt["left_out_near_test"]) == (31, 1, 2)
    assert learnt["train_sequences"] + learnt["valid_sequences"] == 29
    assert list(pd.read_csv(run_files / "out/history.csv")) == HISTORY
    assert Trunk.load(run_files / "out/model.safetensors", run_files / "out/trunk.json").layers == 1
    assert not (run_files / "out/checkpoint.safetensors").exists()


def test_killed_and_run_again_it_gives_the_weights_of_an_undisturbed_run(run_files):
    plan = {"steps": 200, "valid_every": 30, "save_seconds": 0}
    text = ("--sequences", str(run_files / "sequences.fasta.gz"))
    run(command(run_files, "whole", *text, **plan | {"save_seconds": 60}))
    disturbed = command(run_files, "killed", *text, **plan)
    state = run_files / "killed/checkpoint.safetensors"
    begun = process(disturbed, stderr=subprocess.DEVNULL)
    while begun.poll() is None and not state.exists():
        time.sleep(0.001)
    begun.kill()
    begun.wait()
    assert state.exists() and not (run_files / "killed/trunk.json").exists()
    copied = run_files / "other/checkpoint.safetensors"
    copied.parent.mkdir()
    shutil.copy(state, copied)

    said = run(command(run_files, "killed", *text, **plan | {"save_seconds": 60}))
    assert "going on from step" in said and not state.exists()
    assert (run_files / "killed/model.safetensors").read_bytes() == (run_files / "whole/model.safetensors").read_bytes()
    histories = [pd.read_csv(run_files / name / "history.csv").drop(columns="seconds") for name in ("whole", "killed")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)

    said = run(command(run_files, "other", *text, **plan | {"seed": 1, "steps": 1}))
    assert "other settings or another corpus; beginning anew" in said
    assert read_json(run_files / "other/trunk.json")["pretraining"]["steps"] == 1


def test_the_trunk_is_the_same_whatever_the_cores(run_files):
    """Snakemake gives a job as many threads as there are cores; the rule's own number decides."""
    weights = []
    for cores in ("1", "2"):
        words = command(run_files, cores, "--sequences", str(run_files / "sequences.fasta.gz"), steps=20, width=64)
        line = [sys.executable, "-m", "foldgraft", "--made-from", "0@2:", "trunk", *words]
        subprocess.run(line, env={**os.environ, "OMP_NUM_THREADS": cores}, check=True, capture_output=True)
        weights.append((run_files / cores / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_going_on_from_a_trunk_begins_where_it_ended(run_files):
    text = ("--sequences", str(run_files / "sequences.fasta.gz"))
    run(command(run_files, "first", *text, steps=30, learning_rate=0.01))
    start = run_files / "first/model.safetensors"
    run(command(run_files, "second", *text, "--start", str(start), steps=3, **{"from": str(start)}))
    first, second = (read_json(run_files / name / "trunk.json") for name in ("first", "second"))
    assert second["name"] == "pretrained-1x16-continued" and second["architecture"] == first["architecture"]
    assert second["source"] == {"kind": "pretrain", "from": "pretrained-1x16", "from_sha256": first["sha256"]}
    assert second["pretraining"]["first_perplexity"] == pytest.approx(first["pretraining"]["valid_perplexity"])
    assert second["pretraining"]["settings"]["learning_rate"] == 1e-4
    assert second["sha256"] != first["sha256"]


def test_a_text_and_its_own_validation_are_learnt_from(run_files):
    generator = np.random.default_rng(1)
    text, valid = run_files / "text.txt", run_files / "valid.txt"
    for path, count in ((text, 20), (valid, 5)):
        lines = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(count)]
        path.write_text("\n".join(lines) + "\n")
    run(command(run_files, "out", "--text", str(text), "--valid", str(valid), steps=1, save_seconds=9))
    learnt = read_json(run_files / "out/trunk.json")["pretraining"]
    assert (learnt["train_sequences"], learnt["valid_sequences"], learnt["left_out_near_test"]) == (20, 5, 0)


@pytest.mark.parametrize(
    "architecture", [Architecture(2, 32, 2), Architecture(2, 32, 2, family="ESM C", hidden=32)], ids=lambda a: a.family
)
def test_a_trunk_without_a_language_head_gets_one_that_begins_with_the_letters(architecture):
    torch.manual_seed(0)
    trunk = Trunk(build_network(architecture, language=False), "bare", "", CPU)
    before = trunk.network.embed_tokens.weight.clone()
    settings = PretrainSettings.model_validate(
        {"from": "x", "steps": 150, "batch_tokens": 1024, "crop_length": 48, "learning_rate": 3e-3}
    )
    network, history, summary = pretrain(repeats(200, 0), repeats(20, 1), settings, CPU, start=trunk)
    assert history[0]["valid_perplexity"] == pytest.approx(summary["unigram_perplexity"], rel=1e-3)
    assert summary["valid_perplexity"] < 0.6 * summary["unigram_perplexity"]
    assert not torch.equal(network.embed_tokens.weight, before)


def test_crops_longer_than_learned_positions_are_refused():
    architecture = Architecture(1, 16, 2, family="ESM-1b", max_tokens=50)
    trunk = Trunk(build_network(architecture), "old", "", CPU)
    settings = PretrainSettings.model_validate({"from": "x", "steps": 1, "crop_length": 49})
    with pytest.raises(FoldgraftError, match=r"crop_length: 49 is more than old reads at once; give 48 at most"):
        pretrain(repeats(5, 0), repeats(5, 1), settings, CPU, start=trunk)
    fitting = settings.model_copy(update={"crop_length": 48})
    assert pretrain(repeats(5, 0), repeats(5, 1), fitting, CPU, start=trunk)[2]["steps"] == 1


def test_a_divergence_is_told_and_nothing_of_it_kept(tmp_path):
    settings = PretrainSettings(steps=400, learning_rate=1, warmup_steps=0, **SMALL)
    network = new_network(settings, repeats(5, 0).frequencies())
    with torch.no_grad():
        network.lm_head.bias[5] = math.nan
    trunk = Trunk(network, "broken", "", CPU)
    with pytest.raises(FoldgraftError, match=r"no finite number at step 0; lower trunk\.pretrain\.learning_rate"):
        pretrain(repeats(50, 0), repeats(5, 1), settings, CPU, tmp_path / "checkpoint", trunk)
    assert not (tmp_path / "checkpoint").exists()
