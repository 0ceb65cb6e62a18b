"""Whole measurements of a task of each level and kind, against scikit-learn and against what was planted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import (
    BINARY,
    FOLDS,
    STATES,
    TORSIONS,
    VALUE,
    about,
    ids,
    split_frame,
    write_pairs,
    write_proteins,
    write_residues,
    write_targets,
)
from sklearn import metrics as sk

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.evaluate.tables import Sources, collect, measure, write_tables
from foldgraft.records.metrics import COLUMNS, TABLES
from foldgraft.records.predictions import schema_of
from foldgraft.records.split import LEAKAGE
from foldgraft.records.tables import write_frame

COUNT = 160
SETTINGS = EvaluateSettings(resamples=200)
SPLIT = split_frame(ids(COUNT), "made_up")


def value(tables: dict[str, pd.DataFrame], name: str, metric: str, split: str = "test") -> float:
    rows = tables["metrics"].query("experiment == @name and metric == @metric and split == @split")
    assert len(rows) == 1
    return rows["value"].iloc[0]


def logistic(raw: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-raw))


def binary_file(folder: Path, name: str, skill: float, crossed: bool = True, one_class: bool = False) -> Path:
    rng = np.random.default_rng(1)
    truth = np.ones(COUNT) if one_class else (rng.random(COUNT) < 0.5).astype(float)
    raw = np.random.default_rng(len(name)).normal(size=COUNT) + skill * (truth - 0.5)
    one = about(name, "protein", BINARY)
    return write_proteins(folder / f"{name}.parquet", one, SPLIT, truth, logistic(raw)[:, None], crossed)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = pd.read_parquet(path).query("split == 'test'")
    return table["truth"].to_numpy(), np.vstack(table["score"])


def test_a_binary_task_of_proteins(tmp_path, within_its_code):
    paths = [binary_file(tmp_path, "head", 2.0), binary_file(tmp_path, "baseline_x", 0.3)]
    with within_its_code("evaluate", "metrics", "protein"):
        found = measure(paths, Sources(SPLIT, "made_up"), SETTINGS)
    assert set(found) == set(TABLES)
    assert list(found["metrics"].columns) == COLUMNS
    truth, score = read(paths[0])
    area = sk.roc_auc_score(truth, score[:, 0])
    assert value(found, "head", "roc_auc") == pytest.approx(area)
    assert value(found, "head", "brier") == pytest.approx(sk.brier_score_loss(truth, score[:, 0]))
    row = found["comparison"].query("metric == 'roc_auc' and split == 'test'").iloc[0]
    assert (row["experiment"], row["baseline"], row["verdict"]) == ("head", "baseline_x", "better")
    assert (row["n"], row["clusters"]) == (COUNT, COUNT // 2)
    assert row["p"] == row["p_corrected"] < 0.02
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    curve = found["roc"].query("experiment == 'head'")
    by_trapezoid = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert by_trapezoid == pytest.approx(area, abs=0.002)
    assert found["reliability"].groupby("experiment")["n"].sum().to_dict() == {"head": COUNT, "baseline_x": COUNT}


def test_thresholds_come_from_the_validation_fold_alone(tmp_path):
    path = binary_file(tmp_path, "head", 1.0)
    found = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    predictions = pd.read_parquet(path)
    cuts = found["thresholds"].set_index("fold")["threshold"]
    tested = predictions[predictions["split"] == "test"]
    called = np.vstack(tested["score"])[:, 0] >= ((tested["fold"] + 1) % FOLDS).map(cuts).to_numpy()
    assert value(found, "head", "mcc") == pytest.approx(sk.matthews_corrcoef(tested["truth"], called))
    flipped = predictions.copy()
    rows = flipped["split"] == "test"
    flipped.loc[rows, "truth"] = 1 - flipped.loc[rows, "truth"]
    write_frame(path, flipped, schema_of(about("head", "protein", BINARY)))
    again = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    assert again["thresholds"].equals(found["thresholds"])


def test_heads_of_other_tables_are_measured_beside_relatives_of_what_they_learnt_from(tmp_path):
    """Without an experiment of the table they stand alone; beside one they are what it is compared with."""
    near = pd.DataFrame({"id": SPLIT["id"], "set": "made_up", "fold": 0, "method": "search", "nearest": "x"})
    identity = np.where(np.arange(COUNT) < COUNT // 4, 0.95, 0.2)
    near = near.assign(nearest_set="y", identity=identity, coverage_query=1.0, coverage_target=1.0, evalue=1e-9)
    write_frame(tmp_path / "near/head.parquet", near.assign(leak=identity > 0.5)[LEAKAGE.names], LEAKAGE)
    near.loc[:4, "method"] = "none"
    write_frame(tmp_path / "near/other.parquet", near.assign(leak=False, identity=0.2)[LEAKAGE.names], LEAKAGE)
    sources = Sources(SPLIT, "made_up", external=[tmp_path / f"near/{name}.parquet" for name in ("head", "other")])
    paths = [binary_file(tmp_path, "transfer_head", 1.0)]
    alone = measure(paths, sources, SETTINGS)
    truth, score = read(paths[0])
    assert value(alone, "transfer_head", "roc_auc") == pytest.approx(sk.roc_auc_score(truth, score[:, 0]))
    assert alone["comparison"].empty
    assert f"test: {COUNT // 4} of {COUNT} proteins have a relative that this head learnt from" in set(
        alone["notes"]["note"]
    )
    parts = alone["breakdown"].query("by == 'identity' and part != 'area'").set_index("part")["n"]
    assert parts.to_dict() == {"below 30 %": COUNT - COUNT // 4, "90 to 100 %": COUNT // 4}
    other = measure([binary_file(tmp_path, "transfer_other", 1.0)], sources, SETTINGS)["notes"]["note"]
    assert (
        f"test: 0 of {COUNT} proteins have a relative that this head learnt from; of 5 it could not be found out"
        in (set(other))
    )
    both = measure([*paths, binary_file(tmp_path, "head", 2.0)], sources, SETTINGS)
    row = both["comparison"].query("metric == 'roc_auc' and split == 'test'").iloc[0]
    assert (row["experiment"], row["baseline"], row["verdict"]) == ("head", "transfer_head", "better")


def test_fractions_are_measured_as_values_too(tmp_path):
    rng = np.random.default_rng(2)
    truth = rng.random(COUNT)
    score = np.clip(truth + rng.normal(0, 0.2, COUNT), 0, 1)
    path = write_proteins(tmp_path / "a.parquet", about("head", "protein", BINARY), SPLIT, truth, score[:, None])
    found = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    assert value(found, "head", "r2") == pytest.approx(sk.r2_score(truth, score.astype(np.float32)))
    assert len(found["scatter"]) == COUNT


def test_a_value_with_a_far_mean(tmp_path):
    rng = np.random.default_rng(2)
    truth = 300 + rng.normal(0, 5, COUNT)
    paths = [
        write_proteins(tmp_path / f"{name}.parquet", about(name, "protein", VALUE), SPLIT, truth, said[:, None])
        for name, said in (("head", truth + rng.normal(0, 2, COUNT)), ("baseline_constant", np.full(COUNT, 300.0)))
    ]
    found = measure(paths, Sources(SPLIT, "made_up"), SETTINGS)
    expected, score = read(paths[0])
    assert value(found, "head", "r2") == pytest.approx(sk.r2_score(expected, score[:, 0]), abs=1e-6)
    assert value(found, "head", "mae") == pytest.approx(sk.mean_absolute_error(expected, score[:, 0]), abs=1e-6)
    row = found["comparison"].query("metric == 'rmse' and split == 'test'").iloc[0]
    assert (row["verdict"], row["difference"] < 0) == ("better", True)
    assert found["notes"].query("experiment == 'baseline_constant'").empty


def test_classes_of_proteins(tmp_path):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, COUNT)
    score = rng.dirichlet(np.ones(3), COUNT) + 1.5 * np.eye(3)[truth]
    score /= score.sum(axis=1, keepdims=True)
    target = {"kind": "classes", "names": ["nucleus", "membrane", "other"]}
    path = write_proteins(tmp_path / "a.parquet", about("head", "protein", target), SPLIT, truth.astype(float), score)
    found = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    said = score.astype(np.float32).argmax(axis=1)
    assert value(found, "head", "accuracy") == pytest.approx(sk.accuracy_score(truth, said))
    assert value(found, "head", "macro_f1") == pytest.approx(sk.f1_score(truth, said, average="macro"))
    assert value(found, "head", "cross_entropy") == pytest.approx(sk.log_loss(truth, score), abs=1e-5)
    assert found["confusion"]["n"].sum() == COUNT
    matrix = sk.confusion_matrix(truth, said)
    assert found["confusion"]["n"].tolist() == matrix.ravel().tolist()


def made_residues(kind: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(4)
    truth, score = [], []
    for n in range(COUNT):
        length = 20 + n % 7
        states = rng.integers(0, 3, length)
        if kind == "classes":
            score.append(rng.dirichlet(np.ones(3), length) * 0.5 + 0.5 * np.eye(3)[states])
            known = states.astype(float)
            known[:3] = np.nan
            truth.append(known[:, None])
        else:
            angle = rng.uniform(-np.pi, np.pi, (length, 2))
            said = angle + rng.normal(0, np.radians(10), (length, 2))
            truth.append(np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(length, 4))
            truth[-1][0, :2] = np.nan  # the first residue has no phi
            score.append(np.stack([np.sin(said), np.cos(said)], axis=2).reshape(length, 4))
    return truth, score


def test_classes_of_residues_count_known_residues_alone(tmp_path):
    truth, score = made_residues("classes")
    path = write_residues(tmp_path / "a.parquet", about("head", "residue", STATES), SPLIT, truth, score)
    found = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    flat, said = np.concatenate(truth)[:, 0], np.concatenate(score)
    known = np.isfinite(flat)
    expected = sk.accuracy_score(flat[known], said[known].argmax(axis=1))
    assert value(found, "head", "Q3") == value(found, "head", "accuracy") == pytest.approx(expected)
    assert value(found, "head", "cross_entropy") == pytest.approx(sk.log_loss(flat[known], said[known]), abs=1e-4)
    one = found["proteins"].query("split == 'test'").set_index("id").loc["p003"]
    assert one["Q3"] == pytest.approx(np.mean(score[3][3:].argmax(axis=1) == truth[3][3:, 0]))


def test_angles_of_residues_by_state(tmp_path, within_its_code):
    truth, score = made_residues("angles")
    lengths = [len(values) for values in score]
    states = ["".join("HEC"[(n + at) % 3] for at in range(length)) for n, length in enumerate(lengths)]
    pairs = [np.zeros(length * (length - 1) // 2, bool) for length in lengths]
    targets = write_targets(tmp_path / "t.parquet", ids(COUNT), pairs, states)
    path = write_residues(tmp_path / "a.parquet", about("head", "residue", TORSIONS), SPLIT, truth, score)
    with within_its_code("evaluate", "metrics", "residue"):
        found = measure([path], Sources(SPLIT, "made_up", targets=[targets]), SETTINGS)
    flat, said = np.concatenate(truth), np.concatenate(score)
    for at, name in ((0, "phi"), (2, "psi")):
        error = np.degrees(np.arctan2(flat[:, at], flat[:, at + 1]) - np.arctan2(said[:, at], said[:, at + 1]))
        error = np.abs((error + 180) % 360 - 180)
        assert value(found, "head", f"mae {name}") == pytest.approx(np.nanmean(error), abs=1e-3)
        helical = np.array(list("".join(states))) == "H"
        assert value(found, "head", f"mae {name} H") == pytest.approx(np.nanmean(error[helical]), abs=1e-3)


def test_a_binary_label_of_residues(tmp_path):
    rng = np.random.default_rng(4)
    truth = [(rng.random((30, 1)) < 0.3).astype(float) for _ in range(COUNT)]
    score = [logistic(rng.normal(0, 1, (30, 1)) + 2 * values - 1) for values in truth]
    path = write_residues(tmp_path / "a.parquet", about("head", "residue", BINARY), SPLIT, truth, score)
    found = measure([path], Sources(SPLIT, "made_up"), SETTINGS)
    flat, said = np.concatenate(truth)[:, 0], np.concatenate(score)[:, 0].astype(np.float32)
    assert value(found, "head", "roc_auc") == pytest.approx(sk.roc_auc_score(flat, said))
    assert value(found, "head", "pr_auc") == pytest.approx(sk.average_precision_score(flat, said))


CHAINS = split_frame(ids(16, "c"), "structures")


@pytest.fixture
def chains(tmp_path) -> tuple[Path, list[np.ndarray]]:
    """Targets of 16 chains of 40 residues with random contacts."""
    rng = np.random.default_rng(0)
    truth = [rng.random(780) < 0.15 for _ in range(16)]
    return write_targets(tmp_path / "targets.parquet", ids(16, "c"), truth, ["C" * 40] * 16), truth


def contact_file(folder: Path, name: str, truth: list[np.ndarray], skill: float) -> Path:
    rng = np.random.default_rng(0)
    scores = [skill * one + rng.random(len(one)) for one in truth]
    return write_pairs(folder / f"{name}.parquet", about(name, "pair", BINARY), CHAINS, scores, 40)


def test_contacts_have_a_ceiling_and_are_compared_over_clusters(tmp_path, chains):
    targets, truth = chains
    paths = [contact_file(tmp_path, "pair", truth, 2.0), contact_file(tmp_path, "baseline_separation", truth, 0.0)]
    found = measure(paths, Sources(CHAINS, "structures", targets=[targets]), SETTINGS)
    assert value(found, "pair", "P@L/5 all") == 1.0
    mean = found["proteins"].query("experiment == 'baseline_separation' and split == 'test'")["P@L/5 all"].mean()
    assert value(found, "baseline_separation", "P@L/5 all") == pytest.approx(mean)
    row = found["comparison"].query("metric == 'P@L all' and split == 'test'").iloc[0]
    assert (row["verdict"], row["n"], row["clusters"]) == ("better", 16, 8)
    ceiling = found["ceiling"].query("split == 'test'").set_index("metric")["value"]
    assert ceiling["P@L long"] == pytest.approx(value(found, "pair", "P@L long"))  # it ranks all contacts first


def test_a_distogram_has_its_cross_entropy_from_the_file(tmp_path, chains):
    targets, truth = chains
    one = about("head", "pair", {"kind": "classes", "names": ["bin_0", "bin_1"]})
    entropy = [float(n) if n else None for n in range(16)]
    scores = [contacts.astype(float) for contacts in truth]
    path = write_pairs(tmp_path / "a.parquet", one, CHAINS, scores, 40, distance=scores, cross_entropy=entropy)
    found = measure([path], Sources(CHAINS, "structures", targets=[targets]), SETTINGS)
    assert value(found, "head", "cross_entropy") == pytest.approx(8.0)  # the mean of 1 to 15
    row = found["metrics"].query("metric == 'cross_entropy' and split == 'test'").iloc[0]
    assert row["n"] == 15


def test_a_prediction_without_target_is_left_out_and_noted(tmp_path, chains):
    targets, truth = chains
    write_targets(targets, ids(15, "c"), truth[:15], ["C" * 40] * 15)
    found = measure([contact_file(tmp_path, "pair", truth, 1.0)], Sources(CHAINS, "s", targets=[targets]), SETTINGS)
    assert found["notes"]["note"].str.contains("2 predicted proteins have no structure target").any()


def test_an_experiment_is_no_better_than_itself(tmp_path):
    rng = np.random.default_rng(0)
    truth, score = (rng.random(COUNT) < 0.5).astype(float), rng.random((COUNT, 1))
    paths = [
        write_proteins(tmp_path / f"{name}.parquet", about(name, "protein", BINARY), SPLIT, truth, score)
        for name in ("head", "baseline_same")
    ]
    found = measure(paths, Sources(SPLIT, "made_up"), SETTINGS)["comparison"]
    assert (found["difference"] == 0).all()
    assert set(found["verdict"]) == {"no clear difference"}


def test_p_values_are_corrected_over_experiments(tmp_path):
    paths = [binary_file(tmp_path, "head" * n, 0.5) for n in (1, 2, 3)] + [binary_file(tmp_path, "baseline_x", 0.3)]
    rows = measure(paths, Sources(SPLIT, "made_up"), SETTINGS)["comparison"]
    rows = rows.query("metric == 'roc_auc' and split == 'test'").sort_values("p")
    expected = np.minimum(np.maximum.accumulate(rows["p"].to_numpy() * [3, 2, 1]), 1)
    assert rows["p_corrected"].to_numpy() == pytest.approx(expected)


def test_parts_by_length_identity_and_group_hold_every_protein(tmp_path):
    near = SPLIT[["id", "set", "fold"]].assign(
        nearest="x",
        nearest_set="made_up",
        method="search",
        coverage_query=0.9,
        coverage_target=0.9,
        evalue=1e-9,
        leak=False,
    )
    near["identity"] = np.where(np.arange(COUNT) % 4 == 0, np.nan, 0.2 + 0.15 * (np.arange(COUNT) % 4))
    write_frame(tmp_path / "leakage.parquet", near, LEAKAGE)
    sources = Sources(SPLIT, "made_up", leakage=tmp_path / "leakage.parquet")
    rows = measure([binary_file(tmp_path, "head", 2.0)], sources, SETTINGS)["breakdown"]
    parts = rows[(rows["by"] == "identity") & (rows["part"] != "area")]
    assert parts["n"].sum() == COUNT
    assert parts["part"].tolist() == ["none found", "30 to 50 %", "50 to 70 %"]
    area = rows[(rows["part"] == "area")]["value"].iloc[0]
    assert parts["value"].min() < area < parts["value"].max()


def test_one_class_is_noted_and_undefined(tmp_path):
    found = measure([binary_file(tmp_path, "head", 1.0, one_class=True)], Sources(SPLIT, "made_up"), SETTINGS)
    assert np.isnan(value(found, "head", "roc_auc"))
    assert found["notes"]["note"].str.contains("roc_auc").any()
    assert found["notes"]["note"].str.contains("threshold 0.5, for want of two classes").any()
    assert found["roc"].empty


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    (tmp_path / "b").mkdir()
    paths = [binary_file(tmp_path, "head", 1.0), binary_file(tmp_path / "b", "head", 1.0)]
    with pytest.raises(FoldgraftError, match="another file of predictions of head"):
        measure(paths, Sources(SPLIT, "made_up"), SETTINGS)
    truth = np.zeros(COUNT)
    other = write_proteins(tmp_path / "v.parquet", about("v", "protein", VALUE), SPLIT, truth, truth[:, None])
    with pytest.raises(FoldgraftError, match="of other classes"):
        measure([paths[0], other], Sources(SPLIT, "made_up"), SETTINGS)
    with pytest.raises(FoldgraftError, match="no predictions"):
        measure([], Sources(SPLIT, "made_up"), SETTINGS)


def test_tables_of_several_tasks_become_one(tmp_path):
    found = measure([binary_file(tmp_path, "head", 1.0)], Sources(SPLIT, "made_up"), SETTINGS)
    for task in ("a", "b"):
        write_tables(tmp_path / task, found)
    collect([tmp_path / "a/metrics.csv", tmp_path / "b/metrics.csv"], tmp_path / "metrics.csv", COLUMNS)
    assert len(pd.read_csv(tmp_path / "metrics.csv")) == 2 * len(found["metrics"])
    collect([], tmp_path / "none.csv", COLUMNS)
    assert list(pd.read_csv(tmp_path / "none.csv").columns) == COLUMNS
