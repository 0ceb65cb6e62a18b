"""A whole solubility experiment, from cached embeddings to its files."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.models.head_file import load_head
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.predictions import SOLUBILITY
from foldgraft.records.tables import read_frame
from foldgraft.train.outputs import HISTORY, Outputs
from foldgraft.train.settings import Optimizer, SolubilityExperiment
from foldgraft.train.solubility import auc, train
from foldgraft.train.solubility_data import read_table

FAST = {"epochs": 15, "patience": 5, "hidden": 16, "batch_size": 16, "optimizer": Optimizer(lr=3e-3), "dropout": 0.1}


def outputs(path) -> Outputs:
    names = ("head.safetensors", "history.csv", "experiment.yaml", "checks.json", "predictions.parquet")
    return Outputs(*(path / name for name in names))


def run(folder, path, change=lambda table: table, **settings) -> Outputs:
    cached = Embeddings(folder.embeddings)
    table = change(read_table(folder.split, folder.labels, cached))
    result = outputs(path)
    train("trial", SolubilityExperiment(**{**FAST, **settings}), table, cached, folder.trunk(), result)
    return result


@pytest.mark.parametrize("head", ["linear", "mlp", "light_attention", "cnn_from_scratch"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_planted_signal_is_found(folder, tmp_path, head, loss):
    result = run(folder, tmp_path, head=head, loss=loss, members=1)
    found = read_frame(result.predictions, SOLUBILITY)
    test = found[found["split"] == "test"]
    assert len(test) == 48 and set(found["split"]) == {"valid", "test"}
    assert roc_auc_score(test["label"], test["score"]) > 0.85
    assert test["score"].between(0, 1).all()


def test_members_are_averaged_and_their_extremes_kept(folder, tmp_path):
    result = run(folder, tmp_path, head="mlp", members=3, monitor="auc")
    found = read_frame(result.predictions, SOLUBILITY)
    assert (found["score_low"] < found["score"]).all() and (found["score"] < found["score_high"]).all()
    history = pd.read_csv(result.history)
    assert list(history.columns) == HISTORY and set(history["member"]) == {0, 1, 2}
    info = load_head(result.head).info
    for number, member in enumerate(info.members):
        rows = history[history["member"] == number]
        ranked = rows.sort_values(["valid_metric", "valid_loss"], ascending=[False, True])
        assert ranked["epoch"].iloc[0] == member.best_epoch
    assert len({member.seed for member in info.members}) == 3
    assert 0 < info.threshold < 1


def test_same_seed_same_results(folder, tmp_path):
    results = [run(folder, tmp_path / name, head="light_attention", members=2, epochs=3) for name in "ab"]
    first, second = (load_file(result.head) for result in results)
    assert all((first[name] == second[name]).all() for name in first)
    assert results[0].predictions.read_bytes() == results[1].predictions.read_bytes()
    other = run(folder, tmp_path / "c", head="light_attention", members=2, epochs=3, seed=7)
    assert any((first[name] != tensor).any() for name, tensor in load_file(other.head).items())


def test_cross_validation_tests_every_protein_once_with_the_member_that_never_saw_it(folder, tmp_path):
    result = run(folder, tmp_path, head="linear", cross_validate=True)
    found = read_frame(result.predictions, SOLUBILITY)
    test, valid = (found[found["split"] == name].set_index("id") for name in ("test", "valid"))
    assert len(test) == len(valid) == 240 and test.index.is_unique and valid.index.is_unique
    trained = load_head(result.head)
    assert [member.fold for member in trained.info.members] == [0, 1, 2, 3, 4]

    # a protein's test row is what the member of its own fold says, its valid row what that of the fold before says
    cached, table = (
        Embeddings(folder.embeddings),
        read_table(folder.split, folder.labels, Embeddings(folder.embeddings)),
    )
    for _, protein in table.iloc[::17].iterrows():
        pooled = cached.pooled([protein["sequence_sha256"]])[:, -1]
        for rows, fold in ((test, protein["fold"]), (valid, (protein["fold"] - 1) % 5)):
            assert rows.loc[protein["id"], "score"] == pytest.approx(probability(trained, fold, pooled), abs=1e-5)


def probability(trained, member, pooled) -> float:
    """The linear head, by hand."""
    state = {name: tensor.numpy() for name, tensor in trained.members[member].state_dict().items()}
    x = (pooled - state["normalise.mean"]) / state["normalise.std"]
    logit = x @ state["out.weight"].T + state["out.bias"]
    return float(1 / (1 + np.exp(-logit.item() / trained.info.members[member].temperature)))


def test_fractions_are_labels_too(folder, tmp_path):
    def blur(table):
        return table.assign(label=np.where(table["label"] > 0, 0.8, 0.3))

    for loss in ("bce", "mse"):
        result = run(folder, tmp_path / loss, blur, head="mlp", loss=loss, members=1)
        found = read_frame(result.predictions, SOLUBILITY)
        assert roc_auc_score(found["label"] > 0.5, found["score"]) > 0.85
        assert found["score"].mean() == pytest.approx(found["label"].mean(), abs=0.1)


def test_what_is_written_beside_the_head(folder, tmp_path):
    result = run(folder, tmp_path, head="linear", members=1)
    checks = json.loads(result.checks.read_text())
    assert all(check["passed"] for check in checks["checks"]) and len(checks["checks"]) == 6
    assert checks["trunk"]["before"] == checks["trunk"]["after"] == folder.trunk().state_sha256()
    assert checks["trunk"]["file"] == folder.trunk().sha256
    assert checks["trainable"] == 25
    assert checks["frozen"] == sum(p.numel() for p in folder.trunk().network.parameters())
    assert all(row["trainable"] == (row["part"] == "head") for row in checks["parameters"])
    resolved = yaml.safe_load(result.config.read_text())["trial"]
    assert resolved["batch_size"] == 16 and resolved["gradient_clip"] == 1.0
    assert SolubilityExperiment.model_validate(resolved).head == "linear"


def test_threshold_and_temperature_come_from_validation_alone(folder, tmp_path):
    def lie(table):
        turned = np.where(table["split"] == "test", 1 - table["label"], table["label"])
        return table.assign(label=turned)

    honest = load_head(run(folder, tmp_path / "a", head="linear", members=2).head).info
    lied = load_head(run(folder, tmp_path / "b", lie, head="linear", members=2).head).info
    assert (honest.threshold, honest.members) == (lied.threshold, lied.members)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda t: t[t["split"] != "test"], {}, "no labelled protein in the test set"),
        (lambda t: t[t["split"] != "train"], {}, "no labelled protein in the train set"),
        (lambda t: t.assign(label=1.0), {}, "training labels are 1"),
        (lambda t: t.assign(label=t["label"].where(t["split"] != "valid", 1.0)), {"monitor": "auc"}, "monitor: loss"),
        (lambda t: t.assign(fold=t["fold"] % 2), {"cross_validate": True}, "have 2 folds"),
    ],
)
def test_a_split_that_cannot_serve_is_refused(folder, tmp_path, change, settings, message):
    def reset(table):
        return change(table).reset_index(drop=True)

    with pytest.raises(FoldgraftError, match=message):
        run(folder, tmp_path, reset, **settings)
    assert not list(tmp_path.iterdir())


def test_proteins_without_embedding_are_left_out(folder, capsys):
    table = read_table(folder.split, folder.labels, Embeddings(folder.embeddings[1:]))
    assert len(table) == 120
    assert "120 of 240 proteins left out, without embedding" in capsys.readouterr().err
    with pytest.raises(FoldgraftError, match="no labelled protein"):
        read_table(folder.split, folder.labels, Embeddings(folder.embeddings[2:]))


def test_embeddings_of_another_trunk_are_refused(folder, tmp_path):
    cached = Embeddings(folder.embeddings)
    cached.contents = replace(cached.contents, trunk="0" * 64)
    table = read_table(folder.split, folder.labels, cached)
    with pytest.raises(FoldgraftError, match="rerun the embed stage"):
        train("trial", SolubilityExperiment(), table, cached, folder.trunk(), outputs(tmp_path))


def test_workers_load_the_same_batches(folder, tmp_path):
    results = [run(folder, tmp_path / str(n), head="linear", members=1, epochs=2, workers=n) for n in (0, 1)]
    assert results[0].predictions.read_bytes() == results[1].predictions.read_bytes()


def test_auc_of_one_class_is_no_number():
    assert np.isnan(auc(np.ones(3), np.arange(3)))
    assert auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 1.0
