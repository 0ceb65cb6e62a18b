"""Whole experiments of every level on a small trunk: what is learnt, and what is left behind."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import log_loss

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.predict.new import pair_scores
from foldgraft.records.labels import SCHEMA as LABEL_SCHEMA
from foldgraft.records.predictions import DISTOGRAM, PAIR, PROTEIN, RESIDUE, read_about
from foldgraft.records.tables import read_frame, read_rows
from foldgraft.records.targets import SCHEMA as TARGETS
from foldgraft.tasks.sequences import trunk_tokens
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.trained import load_head
from foldgraft.train.experiment import train
from foldgraft.train.outputs import HISTORY, Outputs
from foldgraft.train.settings import Experiment

QUICK = {"epochs": 3, "patience": 3, "batch_size": 16, "optimizer": {"lr": 0.02}}


def run(folder, tmp_path, kinds, tasks, **values) -> Outputs:
    written = Outputs.of(tmp_path / "x")
    known = {**BUILT_IN, "solubility": SOLUBILITY}
    names = [tasks] if isinstance(tasks, str) else tasks
    train("x", Experiment(task=tasks, **values), [known[name] for name in names], folder.inputs(*kinds), written)
    return written


LABELS, CHAINS = ("labels", "embeddings"), ("targets", "embeddings")


@pytest.mark.parametrize("head", ["linear", "mlp", "light_attention", "convolution", "cnn_from_scratch"])
def test_every_protein_head_runs_and_leaves_all_files(folder, tmp_path, head):
    training = {} if head == "linear" else {"training": QUICK}
    small = {} if head == "linear" else {"hidden": 8}
    written = run(folder, tmp_path, LABELS, "solubility", head={"name": head, **small}, **training)
    table = read_frame(written.predictions / "solubility.parquet", PROTEIN)
    about = read_about(written.predictions / "solubility.parquet")
    assert (about.task, about.experiment, about.target) == ("solubility", "x", {"kind": "binary"})
    assert set(table["split"]) == {"valid", "test"} and not table.duplicated(["id", "split"]).any()
    assert table.groupby("split")["fold"].unique().map(list).to_dict() == {"test": [0], "valid": [1]}
    low, score, high = (np.vstack(table[name]) for name in ("low", "score", "high"))
    assert (low <= score + 1e-6).all() and (score <= high + 1e-6).all() and (low >= 0).all() and (high <= 1).all()
    (gain,) = json.loads(written.checks.read_text())["calibration"]
    tested = (table["split"] == "test").to_numpy()
    expected = log_loss(table["truth"][tested], score[tested, 0].astype(np.float64))
    assert gain["cross_entropy_after"] == pytest.approx(expected, rel=1e-4) and 0 <= gain["ece_before"] < 1
    trained = load_head(written.head)
    assert len(trained.members) == (1 if head == "linear" else 4)
    history = pd.read_csv(written.history)
    assert (
        list(history.columns) == HISTORY
        and (history.groupby("member")["epoch"].min() == (0 if head == "linear" else 1)).all()
    )
    last = load_head(written.last)
    if head != "linear":
        ends = history.groupby("member")["epoch"].max().tolist()
        assert [member.best_epoch for member in last.info.members] == ends
    for best, end, info, ended in zip(
        trained.members, last.members, trained.info.members, last.info.members, strict=True
    ):
        same = [torch.equal(tensor, end.state_dict()[name]) for name, tensor in best.state_dict().items()]
        assert all(same) == (info.best_epoch == ended.best_epoch)
    checks = json.loads(written.checks.read_text())
    assert checks["trunk"]["frozen"] and all(check["passed"] for check in checks["checks"])
    assert yaml.safe_load(written.config.read_text())["x"]["head"]["name"] == head


@pytest.mark.parametrize("head", ["linear", "mlp", "convolution", "ss3_mlp"])
def test_every_residue_head_learns_what_letters_tell(folder, tmp_path, head):
    training = {} if head == "linear" else {"training": {**QUICK, "epochs": 15, "patience": 15, "batch_size": 4}}
    written = run(folder, tmp_path, CHAINS, "ss3", head={"name": head}, **training)
    rows = list(read_rows(written.predictions / "ss3.parquet", RESIDUE))
    assert {row["split"] for row in rows} == {"valid", "test"}
    hits = []
    for row in rows:
        score, truth = np.reshape(row["score"], (row["length"], 3)), np.array(row["truth"])
        assert score.sum(1) == pytest.approx(1, abs=1e-4)
        hits.append((score.argmax(1) == truth)[~np.isnan(truth)])
    assert np.concatenate(hits).mean() > 0.85
    check_gain(written, [row for row in rows if row["split"] == "test"])


def check_gain(written: Outputs, rows: list[dict]) -> None:
    """What calibration gained, by scikit-learn; of one member, what was before is what is after to the power of T."""
    (gain,) = json.loads(written.checks.read_text())["calibration"]
    after = np.concatenate([np.reshape(row["score"], (-1, 3)) for row in rows]).astype(np.float64)
    truth = np.concatenate([row["truth"] for row in rows])
    known = ~np.isnan(truth)
    after, truth = after[known] / after[known].sum(1, keepdims=True), truth[known]
    assert gain["n"] == known.sum()
    assert gain["cross_entropy_after"] == pytest.approx(log_loss(truth, after, labels=[0, 1, 2]), rel=1e-4, abs=1e-5)
    members = load_head(written.head).info.members
    if len(members) == 1:
        before = np.maximum(after, 1e-30) ** members[0].calibrations[0].temperature
        before /= before.sum(1, keepdims=True)
        expected = log_loss(truth, before, labels=[0, 1, 2])
        assert gain["cross_entropy_before"] == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("task", "kinds", "values"),
    [
        ("solubility", LABELS, {"head": {"name": "linear", "penalty": 1.0}}),
        ("ss3", CHAINS, {"head": {"name": "linear", "penalty": 1.0}}),
        ("contact", ("targets",), {"head": {"name": "logistic", "penalty": 1.0}, "features": ["separation"]}),
    ],
)
def test_no_task_runs_code_of_other_levels(folder, tmp_path, within_its_code, task, kinds, values):
    with within_its_code("train", "experiment", {**BUILT_IN, "solubility": SOLUBILITY}[task].level):
        run(folder, tmp_path, kinds, task, validation="next", **values)


def test_several_tasks_share_a_body(folder, tmp_path):
    written = run(folder, tmp_path, CHAINS, ["ss3", "torsions"], head={"name": "mlp"}, weights={"ss3": 2.0},
                  training={**QUICK, "epochs": 20, "patience": 20, "batch_size": 4})  # fmt: skip
    trained = load_head(written.head)
    assert [layer.out_features for layer in trained.members[0].out] == [3, 4]
    errors = []
    for row in read_rows(written.predictions / "torsions.parquet", RESIDUE):
        score, truth = (np.reshape(row[name], (row["length"], 2, 2)) for name in ("score", "truth"))
        assert np.linalg.norm(score, axis=-1) == pytest.approx(1, abs=1e-3)
        turn = np.arctan2(*np.moveaxis(score, -1, 0)) - np.arctan2(*np.moveaxis(truth, -1, 0))
        errors.append(np.abs((turn + np.pi) % (2 * np.pi) - np.pi).ravel())
    assert np.degrees(np.nanmean(np.concatenate(errors))) < 25


@pytest.mark.parametrize(
    ("task", "head", "kinds"),
    [
        ("contact", {"name": "logistic"}, ("targets", "coevolution")),
        ("distogram", {"name": "logistic", "pairs_per_chain": 400}, ("targets", "coevolution")),
        (
            "contact",
            {"name": "residual", "hidden": 8, "blocks": 2, "crop": 24},
            ("targets", "coevolution", "embeddings"),
        ),
    ],
)
def test_every_pair_head_runs(folder, tmp_path, task, head, kinds):
    features = ["attention", "coevolution", "separation"] + (["embedding"] if "embeddings" in kinds else [])
    training = {"training": {**QUICK, "epochs": 4}} if head["name"] == "residual" else {}
    written = run(
        folder,
        tmp_path,
        kinds,
        task,
        head=head,
        features=features,
        validation="next",
        pairs={"max_predicted": 4},
        **training,
    )
    schema = DISTOGRAM if task == "distogram" else PAIR
    rows = list(read_rows(written.predictions / f"{task}.parquet", schema))
    assert len([row for row in rows if row["split"] == "test"]) == 4
    truth = {
        c["id"]: np.unpackbits(np.frombuffer(c["contacts"], np.uint8))
        for path in folder.targets
        for c in read_rows(path, TARGETS)
    }
    if task == "contact":
        on, off = [], []
        for row in rows:
            close = truth[row["id"]][: len(row["score"])].astype(bool)
            score = np.array(row["score"])
            seen = score > 0
            on.append(score[seen & close]), off.append(score[seen & ~close])
        assert np.concatenate(on).mean() > 3 * np.concatenate(off).mean()
    else:
        for row in rows:
            distance = np.array(row["distance"])
            assert np.nanmin(distance) > 2 and np.nanmax(distance) < 22.1 and row["cross_entropy"] < np.log(64)
    assert not list(written.folder.glob(".maps-*"))


def test_cross_validation_tests_each_protein_once_and_learns_from_all_others(folder, tmp_path):
    written = run(
        folder, tmp_path, LABELS, "solubility", head="mlp", cross_validate=True, training={**QUICK, "epochs": 1}
    )
    table = read_frame(written.predictions / "solubility.parquet", PROTEIN)
    assert sorted(table.loc[table["split"] == "test", "fold"].unique()) == [0, 1, 2, 3, 4]
    assert not table.duplicated(["id", "split"]).any() and (table["split"].value_counts() == 240).all()
    members = load_head(written.head).info.members
    pairs = {(member.test_fold, member.valid_fold) for member in members}
    assert len(members) == 20 and pairs == {(t, v) for t in range(5) for v in range(5) if t != v}


def test_the_best_layer_is_chosen_on_validation(folder, tmp_path):
    written = run(folder, tmp_path, LABELS, "solubility", head="linear", layers="best")
    compared = pd.read_csv(written.layers)
    assert compared["layer"].tolist() == [1, 2] and set(compared["metric"]) == {"roc_auc"}
    info = load_head(written.head).info
    assert info.layers == [int(compared.loc[compared["value"].idxmax(), "layer"])]
    alone = run(folder, tmp_path / "alone", LABELS, "solubility", head="linear", layers=info.layers[0])
    name = "solubility.parquet"
    assert (alone.predictions / name).read_bytes() == (written.predictions / name).read_bytes()
    assert pd.read_csv(alone.layers).empty


@pytest.mark.parametrize("unfreeze", [{"last": 1}, {"lora": {"rank": 2}}])
def test_the_trunk_can_be_trained_along(folder, tmp_path, unfreeze, capsys):
    quick = {**QUICK, "epochs": 2, "optimizer": {"lr": 0.003}}
    written = run(folder, tmp_path, ("labels",), "solubility", head={"name": "mlp", "hidden": 8}, layers="all",
                  unfreeze=unfreeze, validation="next", training=quick)  # fmt: skip
    assert "goes through the trunk with" in capsys.readouterr().err
    checks = json.loads(written.checks.read_text())
    assert checks["trunk"]["frozen"]  # the trunk's own tensors: what is trained is a copy
    trained = {row["name"] for row in checks["parameters"] if row["part"] == "trunk" and row["trainable"]}
    assert trained == ({"layers.1", "emb_layer_norm_after"} if "last" in unfreeze else {"layers.0", "layers.1"})
    assert len(list(written.adapters.glob("*/adapter_model.safetensors"))) == ("lora" in unfreeze)
    table = read_frame(written.predictions / "solubility.parquet", PROTEIN).set_index(["split", "id"])["score"]
    again = load_head(written.head, folder.trunk())
    labels = pd.concat([read_frame(path, LABEL_SCHEMA, ["id", "sequence"]) for path in folder.labels])
    text = labels.set_index("id")["sequence"][table["test"].index[0]]
    inputs = trunk_tokens([alphabet.encode(text)])
    score = again.predict(0, torch.stack([member(inputs)[0] for member in again.members])).mean(0).item()
    assert score == pytest.approx(table["test"].iloc[0][0], abs=1e-4)
    with pytest.raises(FoldgraftError, match="trained a part of its trunk"):
        load_head(written.head)


@pytest.mark.parametrize(
    ("head", "unfreeze", "features"),
    [
        ({"name": "logistic", "pairs_per_chain": 200}, {"last": 1}, ["attention", "separation"]),
        ({"name": "residual", "hidden": 4, "blocks": 1, "rank": 2}, {"lora": {"rank": 2}}, ["attention", "embedding"]),
    ],
)
def test_the_trunk_can_be_trained_along_with_pair_heads(folder, tmp_path, head, unfreeze, features, capsys):
    """No embeddings are read; the trunk's own tensors stay, and the head's file with the trunk gives the contacts."""
    training = {**QUICK, "epochs": 2, "optimizer": {"lr": 0.003}}
    written = run(folder, tmp_path, ("targets",), "contact", head=head, features=features, unfreeze=unfreeze,
                  validation="next", pairs={"max_predicted": 3}, training=training)  # fmt: skip
    assert "goes through the trunk with" in capsys.readouterr().err
    checks = json.loads(written.checks.read_text())
    assert checks["trunk"]["frozen"] and all(check["passed"] for check in checks["checks"])
    trained = {row["name"] for row in checks["parameters"] if row["part"] == "trunk" and row["trainable"]}
    assert trained == ({"layers.1"} if "last" in unfreeze else {"layers.0", "layers.1"})
    assert len(list(written.adapters.glob("*/adapter_model.safetensors"))) == ("lora" in unfreeze)
    again = load_head(written.head, folder.trunk())
    chains = {row["id"]: row["sequence"] for path in folder.targets for row in read_rows(path, TARGETS)}
    rows = [row for row in read_rows(written.predictions / "contact.parquet", PAIR) if row["split"] == "test"]
    assert len(rows) == 3
    for row in rows:
        found = pair_scores(again, chains[row["id"]], None, folder.trunk())["x"]
        assert found == pytest.approx(row["score"], abs=1e-4)
    moved = [
        (part.network.get_parameter(name) - folder.trunk().network.get_parameter(name)).abs().max()
        for part in [again.members[0].body]
        for name, parameter in part.network.named_parameters()
        if parameter.requires_grad and "lora" not in name and "original" not in name
    ]
    assert "lora" in unfreeze or max(moved) > 1e-3
    with pytest.raises(FoldgraftError, match="trained a part of its trunk"):
        load_head(written.head)


@pytest.mark.parametrize(
    ("error", "values", "words"),
    [
        (MemoryError(), {"head": "mlp"}, r"lower training\.batch_size \(now 64\)"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), {"head": "linear"}, r"lower head\.max_examples"),
        (torch.OutOfMemoryError("CUDA out of memory"), {"head": "mlp"}, r"experiments\.x: it does not fit in memory"),
    ],
)
def test_what_does_not_fit_in_memory_says_which_key_to_lower(folder, tmp_path, monkeypatch, error, values, words):
    def full(*arguments):
        raise error

    monkeypatch.setattr("foldgraft.train.experiment.run_checks", full)
    with pytest.raises(FoldgraftError, match=words):
        run(folder, tmp_path, LABELS, "solubility", **values)


def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    first, second = (
        run(folder, tmp_path / name, LABELS, "solubility", head="mlp", training={**QUICK, "epochs": 2}) for name in "ab"
    )
    assert first.head.read_bytes() == second.head.read_bytes()
    name = "solubility.parquet"
    assert (first.predictions / name).read_bytes() == (second.predictions / name).read_bytes()


@pytest.mark.parametrize(
    ("kinds", "tasks", "values", "words"),
    [
        (LABELS, "solubility", {"head": "convolution2"}, "convolution2"),
        (LABELS, "solubility", {"head": "ss3_mlp"}, "'ss3_mlp' is no head of protein tasks"),
        (LABELS, "solubility", {"training": {"loss": "ce"}}, "loss: ce does not fit the task solubility"),
        (
            LABELS,
            "solubility",
            {"head": "linear", "training": {"epochs": 3}},
            "training.epochs: the head linear is solved",
        ),
        (LABELS, "solubility", {"head": "linear", "ensemble": 3}, "ensemble: the head linear has one solution"),
        (CHAINS, ["ss3", "contact"], {}, "different levels"),
        (CHAINS, "ss3", {"features": ["attention"]}, "features: only pair-level tasks"),
        (("targets",), "contact", {"features": ["coevolution"]}, "coevolution"),
        (("targets",), "contact", {"features": ["attention", "embedding"]}, "needs the head `residual`"),
        (("targets",), "contact", {"features": ["separation"], "unfreeze": "all"}, "read no trunk; add attention"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line_before_training(folder, tmp_path, kinds, tasks, values, words):
    with pytest.raises((FoldgraftError, ValueError)) as error:
        run(folder, tmp_path, kinds, tasks, **values)
    assert words in str(error.value)
    assert not (tmp_path / "x/head.safetensors").exists()
