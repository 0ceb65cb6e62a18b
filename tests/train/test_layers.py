"""Experiments on several layers: what is compared, what a mix learns, and that new sequences are read alike."""

import numpy as np
import pandas as pd
import pytest

from foldgraft.config import load
from foldgraft.errors import FoldgraftError
from foldgraft.predict.new import predict
from foldgraft.predict.sequences import Candidate
from foldgraft.records.predictions import PROTEIN, RESIDUE
from foldgraft.records.tables import read_frame, read_rows
from foldgraft.records.targets import read_targets
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.trained import load_head
from foldgraft.tasks.vectors import layer_numbers
from foldgraft.train.ensemble import Trainer
from foldgraft.train.experiment import train
from foldgraft.train.layers import best_layer
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import Experiment

QUICK = {"epochs": 4, "patience": 4, "batch_size": 4, "optimizer": {"lr": 0.02}}
KINDS = {
    "solubility": ("labels", "embeddings"),
    "ss3": ("targets", "embeddings"),
    "torsions": ("targets", "embeddings"),
}
TASKS = {**BUILT_IN, "solubility": SOLUBILITY}


def run(folder, path, task, **values) -> Outputs:
    written = Outputs.of(path)
    train("x", Experiment(task=task, **values), [TASKS[task]], folder.inputs(*KINDS[task]), written)
    return written


@pytest.mark.parametrize("head", ["linear", "convolution"])
def test_a_mix_is_learnt_and_new_sequences_are_predicted_through_it(folder, tmp_path, head):
    written = run(folder, tmp_path, "ss3", head=head, layers="mix", validation="next", training=QUICK)
    table = pd.read_csv(written.layers)
    assert table["layer"].tolist() == [1, 2] and table["share"].sum() == pytest.approx(1)
    assert abs(table["share"] - 0.5).min() > 1e-4 and set(table["metric"]) == {"Q3"}
    trained = load_head(written.head, folder.trunk())
    assert trained.info.layers == [1, 2] and trained.info.widths == (48, 0, 2)
    known = {row["id"]: row["score"] for row in read_rows(written.predictions / "ss3.parquet", RESIDUE)}
    chains = [chain for path in folder.targets for chain in read_targets(path) if chain.id in known][:3]
    candidates = [Candidate(chain.id, chain.sequence, "") for chain in chains]
    for candidate, (found,) in predict(candidates, [trained], folder.trunk()):
        assert found.tasks[0].mean(0).numpy().ravel() == pytest.approx(np.array(known[candidate.id]), abs=2e-3)


def test_a_mix_serves_pooled_embeddings_cross_validation_and_a_trained_trunk(folder, tmp_path):
    quick = {**QUICK, "epochs": 1, "batch_size": 64}
    crossed = run(folder, tmp_path / "a", "solubility", head={"name": "mlp", "hidden": 4}, layers="mix",
                  cross_validate=True, validation="next", training=quick)  # fmt: skip
    table = read_frame(crossed.predictions / "solubility.parquet", PROTEIN)
    assert (table["split"].value_counts() == 240).all() and pd.read_csv(crossed.layers)["share"].notna().all()
    tuned = run(folder, tmp_path / "b", "solubility", head="linear", layers="mix", unfreeze={"last": 1},
                validation="next", training=quick)  # fmt: skip
    layers = pd.read_csv(tuned.layers)
    assert layers["value"].isna().all() and layers["share"].sum() == pytest.approx(1)
    assert load_head(tuned.head, folder.trunk()).info.widths.mixed == 2


def test_layers_are_compared_for_any_head_that_reads_several(folder, tmp_path):
    """For a regression the comparison is the experiment on each layer by itself."""
    several = run(folder, tmp_path / "all", "torsions", head="linear", layers="all", validation="next")
    found = pd.read_csv(several.layers)
    assert found["layer"].tolist() == [1, 2] and set(found["metric"]) == {"mae"} and found["share"].isna().all()
    for layer, value in zip(found["layer"], found["value"], strict=True):
        alone = run(folder, tmp_path / str(layer), "torsions", head="linear", layers=layer, validation="next")
        assert value == pytest.approx(-pd.read_csv(alone.history)["valid_metric"][0], abs=0.02)
        assert pd.read_csv(alone.layers).empty
    assert 0 < found["value"].min() < 90


def test_the_best_layer_is_that_of_the_highest_value_or_of_the_least_error():
    def rows(metric, values):
        return [{"layer": k, "metric": metric, "value": value} for k, value in enumerate(values, 1)]

    assert best_layer(rows("roc_auc", [0.7, 0.8, 0.8, 0.75])) == 3
    assert best_layer(rows("mae", [30.0, 25.0, 28.0, float("nan")])) == 2


@pytest.mark.parametrize(
    ("task", "values", "words"),
    [
        ("contact", {"head": "residual", "features": ["embedding"], "layers": "mix"}, "`mix` is for protein- and"),
        ("ss3", {"head": "ss3_mlp", "layers": "mix"}, "layers: the head ss3_mlp reads no embeddings"),
        ("ss3", {"head": {"name": "linear", "penalty": 0.1}, "layers": "mix"}, "head.penalty: with layers: mix"),
        ("solubility", {"head": "mlp", "unfreeze": "all", "training": {"noise": 0.1}}, "training.noise: it is for"),
    ],
)
def test_what_a_mix_cannot_serve_is_refused(task, values, words):
    with pytest.raises(ValueError, match=words):
        Experiment(task=task, **values).resolve([TASKS[task]])


def test_a_mix_whose_training_was_killed_ends_at_the_same_bytes(folder, tmp_path, monkeypatch, capsys):
    settings = {"head": "mlp", "layers": "mix", "validation": "next", "training": QUICK}
    whole = run(folder, tmp_path / "whole", "ss3", **settings)
    validate, calls = Trainer.validate, []

    def killed(self, *arguments):
        calls.append(1)
        if len(calls) == 3 + 2:  # the first two compare the layers
            raise KeyboardInterrupt
        return validate(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "validate", killed)
        run(folder, tmp_path / "killed", "ss3", **settings)
    again = run(folder, tmp_path / "killed", "ss3", **settings)
    assert "going on after epoch 2 of an earlier attempt" in capsys.readouterr().err
    assert again.head.read_bytes() == whole.head.read_bytes()
    assert pd.read_csv(again.layers).equals(pd.read_csv(whole.layers))


def test_a_mix_asks_for_the_residues_of_all_layers():
    experiments = {"a": {"task": "ss3", "layers": "mix"}, "b": {"task": "torsions"}}
    config = load({"synth": {}, "experiments": experiments})
    assert config.residue_layers("structures") == ["all"] and config.residue_layers("labels") == []
    assert layer_numbers("mix", 4) == [1, 2, 3, 4]
    with pytest.raises(FoldgraftError, match="the trunk has the layers 1 to 4"):
        layer_numbers(5, 4)
