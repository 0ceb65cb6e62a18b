"""Baselines of labels of proteins: what they may learn from, and what they find."""

import numpy as np
import pandas as pd
import pytest
import torch
from esm import ESM2
from made_up_predictions import BINARY, FOLDS, VALUE, about, write_proteins
from sklearn.metrics import accuracy_score, roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines import run as run_baseline
from foldgraft.evaluate.baselines.protein import encoded, features
from foldgraft.evaluate.baselines.untrained import pooled, random_trunk
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.files import sequence_sha256, write_json
from foldgraft.records.predictions import read_about
from foldgraft.residues import AMINO_ACIDS
from label_tables import write_labels

COUNT = 240


class World:
    """Sequences whose label follows from their charge, in four folds, and an experiment that predicted them."""

    def __init__(self, folder, target=BINARY, crossed=True):
        rng = np.random.default_rng(0)
        sequences = ["".join(rng.choice(list(AMINO_ACIDS), 60)) for _ in range(COUNT)]
        charge = np.array([sum(s.count(a) for a in "KR") - sum(s.count(a) for a in "DE") for s in sequences])
        chance = 1 / (1 + np.exp(-charge / 2))
        label = {
            "binary": (rng.random(COUNT) < chance).astype(float),
            "value": 300 + charge + rng.normal(0, 1, COUNT),
            "classes": np.digitize(charge, [-1, 2]).astype(float),
        }[target["kind"]]
        ids = [f"p{n:03d}" for n in range(COUNT)]
        self.folder, self.target, self.crossed, self.covariates = folder, target, crossed, None
        self.labels = pd.DataFrame({"id": ids, "sequence": sequences, "label": label, "fold": None})
        self.labels["sequence_sha256"] = self.labels["sequence"].map(sequence_sha256)
        fold = np.arange(COUNT) % FOLDS
        self.split = pd.DataFrame({"id": ids, "fold": fold, "cluster": range(COUNT)})
        self.split["sequence_sha256"] = self.labels["sequence_sha256"]
        self.split["split"] = self.split["fold"].map({0: "test", 1: "valid"}).fillna("train")

    def run(self, name: str, **others) -> pd.DataFrame:
        write_labels(self.folder / "made-00000.parquet", self.labels, self.target["kind"], self.covariates)
        score = np.full((COUNT, max(1, len(self.target.get("names", ())))), 0.5)
        one = about("head", "protein", self.target)
        truth = self.labels["label"].to_numpy()
        predictions = write_proteins(self.folder / "head.parquet", one, self.split, truth, score, self.crossed)
        output = self.folder / f"{name}.parquet"
        run_baseline(
            name,
            [predictions],
            self.split,
            output=output,
            settings=EvaluateSettings(),
            labels=[self.folder / "made-00000.parquet"],
            **others,
        )
        assert read_about(output).experiment == f"baseline_{name}"
        return pd.read_parquet(output)


def score(table: pd.DataFrame) -> np.ndarray:
    return np.vstack(table["score"])


def test_features_counted_by_hand():
    found = features("aAKDxH")
    assert found.shape == (24,)
    assert found[AMINO_ACIDS.index("A")] == 2 / 5
    assert found[20:].tolist() == [np.log(6), 0.0, 0.0, 0.0]
    assert features("KKRE")[21:].tolist() == [2.0, 2.0, 0.5]


@pytest.mark.parametrize("name", ["composition", "boosting"])
def test_composition_covers_every_protein_and_finds_the_charge(tmp_path, within_its_code, name):
    with within_its_code("evaluate", "baseline", "protein"):
        found = World(tmp_path).run(name)
    assert len(found) == 2 * COUNT
    assert not found.duplicated(["split", "id"]).any()
    tested = found[found["split"] == "test"]
    assert roc_auc_score(tested["truth"], score(tested)) > 0.7


@pytest.mark.parametrize("name", ["composition", "boosting", "constant"])
def test_values_come_in_their_unit(tmp_path, name):
    tested = World(tmp_path, VALUE).run(name).query("split == 'test'")
    error = np.abs(score(tested)[:, 0] - tested["truth"])
    assert error.mean() < (4 if name == "constant" else 2)


@pytest.mark.parametrize("name", ["composition", "boosting", "constant"])
def test_classes_come_as_probabilities(tmp_path, name):
    target = {"kind": "classes", "names": ["acid", "neutral", "base", "never"]}
    tested = World(tmp_path, target).run(name).query("split == 'test'")
    said = score(tested)
    assert said.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (said[:, 3] < 0.01).all()
    if name != "constant":
        assert accuracy_score(tested["truth"], said.argmax(axis=1)) > 0.6


def test_the_constant_is_the_mean_of_all_folds_but_the_tested_one(tmp_path):
    world = World(tmp_path)
    found = world.run("constant")
    table = world.labels.drop(columns="fold").merge(world.split[["id", "fold"]], on="id")
    for split, hidden in (("test", lambda fold: [fold]), ("valid", lambda fold: [fold, (fold - 1) % FOLDS])):
        means = found[found["split"] == split].assign(said=lambda t: score(t)[:, 0]).groupby("fold")["said"].first()
        for fold in range(FOLDS):
            learnt = table[~table["fold"].isin(hidden(fold))]
            assert means[fold] == pytest.approx(learnt["label"].mean())


@pytest.mark.parametrize("name", ["constant", "composition", "boosting"])
def test_the_labels_of_a_fold_change_no_prediction_for_it_as_test(tmp_path, name):
    world = World(tmp_path)
    before = world.run(name)
    held_out = (world.split["fold"] == 2).to_numpy()
    world.labels.loc[held_out, "label"] = 1.0
    after = world.run(name)
    own = ((before["fold"] == 2) & (before["split"] == "test")).to_numpy()
    assert np.array_equal(score(before)[own], score(after)[own])
    others = ((before["fold"] == 0) & (before["split"] == "test")).to_numpy()
    assert not np.array_equal(score(before)[others], score(after)[others])


def test_the_neighbour_passes_its_label_on(tmp_path):
    world = World(tmp_path)
    relative = world.labels["sequence"][1][:54] + "A" * 6  # of fold 1, where fold 0 has p000
    world.labels.loc[0, "sequence"] = relative
    world.labels.loc[[0, 1], "label"] = [0.0, 1.0]
    found = world.run("neighbour")
    tested = found[(found["split"] == "test") & (found["id"] == "p000")]
    mean = world.labels["label"][world.split["fold"] != 0].mean()
    assert mean + 0.8 * (1 - mean) < score(tested)[0, 0] <= 1
    alone = found[(found["split"] == "test") & (found["id"] == "p004")]
    assert score(alone)[0, 0] == pytest.approx(mean, abs=1e-6)


def test_without_cross_validation_two_folds_are_covered(tmp_path):
    found = World(tmp_path, crossed=False).run("constant")
    assert found.groupby("split")["fold"].unique().map(list).to_dict() == {"test": [0], "valid": [1]}


def test_fractions_are_learnt_as_fractions(tmp_path):
    world = World(tmp_path)
    charge = world.labels["sequence"].map(lambda s: features(s)[21])
    world.labels["label"] = np.round(1 / (1 + np.exp(-charge / 2)), 2)
    found = world.run("composition").query("split == 'test'")
    assert np.corrcoef(found["truth"], score(found)[:, 0])[0, 1] > 0.9


def test_one_class_in_training_gives_a_constant(tmp_path):
    world = World(tmp_path)
    world.labels["label"] = 1.0
    assert (score(world.run("composition")) == 1).all()


def test_nothing_to_learn_from_is_named(tmp_path):
    world = World(tmp_path)
    world.split["fold"] %= 2
    with pytest.raises(FoldgraftError, match="leaves no protein to learn from"):
        world.run("constant")
    with pytest.raises(FoldgraftError, match="no predictions to cover"):
        run_baseline("constant", [], world.split, output=tmp_path / "x", settings=EvaluateSettings())


def test_a_baseline_of_another_level_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match="no baseline 'separation' of protein tasks; take constant, composition"):
        World(tmp_path).run("separation")


def test_covariates_are_numbers_or_a_column_per_value():
    found = encoded(np.array([["1.5", "pET21"], ["", "pET15"], ["3", ""]], dtype=object))
    assert found.tolist() == [[1.5, 0, 1], [0, 1, 0], [3, 0, 0]]


def test_a_covariate_alone_is_a_baseline_and_joins_composition(tmp_path):
    world = World(tmp_path)
    rng = np.random.default_rng(7)
    world.labels["label"] = (rng.random(COUNT) < 0.5).astype(float)
    agrees = rng.random(COUNT) < 0.9
    world.covariates = [[letter] for letter in np.where((world.labels["label"] == 1) == agrees, "a", "b")]
    for name in ("covariates", "composition"):
        tested = world.run(name).query("split == 'test'")
        assert roc_auc_score(tested["truth"], score(tested)) > 0.85, name
    world.covariates = None
    with pytest.raises(FoldgraftError, match=r"columns\.covariates"):
        world.run("covariates")


def test_an_untrained_trunk_of_the_same_shape(tmp_path, within_its_code):
    """Mean embeddings by random weights tell composition, thus charge; the regression on them is scikit-learn's."""
    shape = {"layers": 2, "width": 24, "heads": 3}
    write_json(tmp_path / "trunk.json", {"name": "small", "architecture": shape})
    world = World(tmp_path)
    with within_its_code("evaluate", "baseline", "protein"):
        found = world.run("untrained", description=tmp_path / "trunk.json")
    tested = found.query("split == 'test'")
    assert len(tested) == COUNT and roc_auc_score(tested["truth"], score(tested)[:, 0]) > 0.65
    network = ESM2(num_layers=2, embed_dim=24, attention_heads=3)
    network.load_state_dict(random_trunk(tmp_path / "trunk.json", 0).network.state_dict(), strict=False)
    _, _, tokens = network.alphabet.get_batch_converter()([("", world.labels["sequence"][0])])
    with torch.no_grad():
        by_fair_esm = network.eval()(tokens, repr_layers=[2])["representations"][2][0, 1:-1].mean(0)
    assert pooled(random_trunk(tmp_path / "trunk.json", 0), [world.labels["sequence"][0]])[0] == pytest.approx(
        by_fair_esm.numpy(), abs=1e-4
    )
    assert score(world.run("untrained", description=tmp_path / "trunk.json")).tolist() == score(found).tolist()
    with pytest.raises(FoldgraftError, match="baseline untrained: give the trunk whose shape it has"):
        world.run("untrained")


def test_an_untrained_trunk_leaves_out_what_the_embed_stage_rejects(tmp_path, capsys):
    """A letter without a token, and a sequence that is too long: one to learn from and one to predict of each."""
    write_json(tmp_path / "trunk.json", {"name": "small", "architecture": {"layers": 1, "width": 12, "heads": 3}})
    world = World(tmp_path)
    odd = {2: "J", 4: "J", 3: "A" * 50, 8: "A" * 50}  # of the folds 2, 0, 3 and 0
    for row, more in odd.items():
        world.labels.loc[row, "sequence"] += more
    found = world.run("untrained", description=tmp_path / "trunk.json", max_length=100)
    assert "untrained: 4 of 240 proteins have no embedding" in capsys.readouterr().err
    tested = found[(found["split"] == "test") & (found["fold"] == 0)].set_index("id")
    fold = world.split["fold"].to_numpy()
    mean = world.labels["label"][fold != 0].mean()
    said = np.vstack(tested["score"])[:, 0]
    assert len(tested) == (fold == 0).sum() and np.isfinite(said).all()
    assert [tested.loc[name, "score"][0] for name in ("p004", "p008")] == pytest.approx([mean, mean])
    assert (np.abs(said - mean) > 1e-5).sum() >= len(tested) - 4
    short = world.labels["sequence"][0]
    whole = pooled(random_trunk(tmp_path / "trunk.json", 0), [short, "MJ", short + "AA"], longest=60)
    assert np.isfinite(whole[0]).all() and np.isnan(whole[1:]).all()
