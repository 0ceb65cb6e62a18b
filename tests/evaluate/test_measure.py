"""Whole measurements through the command: thresholds, pairing, tables, and what is said when something is undefined."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate import command
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.files import sequence_sha256
from foldgraft.records.metrics import COLUMNS
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import PAIR, PROTEIN
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import row_writer, write_frame
from foldgraft.records.targets import SCHEMA, Targets

COUNT, FOLDS = 200, 4
SETTINGS = EvaluateSettings(resamples=200)


SCORES = {"score": "score", "low": "score_low", "high": "score_high"}


def listed(frame: pd.DataFrame) -> pd.DataFrame:
    """The scores of a binary target as lists of one, as predictions have them."""
    scores = {name: frame[column].map(lambda value: [value]) for name, column in SCORES.items()}
    return frame.rename(columns={"label": "truth"}).assign(**scores)


@pytest.fixture
def split(tmp_path) -> Path:
    """Labels p000 ... in four folds and clusters of two; structures c0 ... in four folds."""
    labels = pd.DataFrame(
        {"id": [f"p{n:03d}" for n in range(COUNT)], "set": "solubility", "cluster": np.arange(COUNT) // 2}
    )
    chains = pd.DataFrame({"id": [f"c{n}" for n in range(8)], "set": "structures", "cluster": 1000 + np.arange(8)})
    table = pd.concat([labels, chains], ignore_index=True)
    table["fold"] = table["cluster"] % FOLDS
    table["split"] = table["fold"].map({0: "test", 1: "valid"}).fillna("train")
    table["sequence_sha256"] = table["id"].map(sequence_sha256)
    write_frame(tmp_path / "split.parquet", table, SPLIT)
    return tmp_path / "split.parquet"


def solubility(folder: Path, name: str, skill: float, folds: list[int] | None = None, one_class: bool = False) -> Path:
    """Predictions that separate the classes by `skill` standard deviations; cross-validated unless folds are given."""
    rng = np.random.default_rng(1)
    ids = [f"p{n:03d}" for n in range(COUNT)]
    fold = (np.arange(COUNT) // 2) % FOLDS
    label = np.ones(COUNT) if one_class else (rng.random(COUNT) < 0.5).astype(float)
    raw = np.random.default_rng(len(name)).normal(size=COUNT) + skill * label
    table = pd.DataFrame({"id": ids, "fold": fold, "label": label, "score": 1 / (1 + np.exp(-raw))})
    table["sequence_sha256"] = table["id"].map(sequence_sha256)
    table["score_low"] = table["score_high"] = table["score"]
    both = pd.concat([table.assign(split="test"), table.assign(split="valid", score=table["score"] ** 2)])
    if folds is not None:
        both = both[
            ((both["split"] == "test") & both["fold"].isin(folds[:1]))
            | ((both["split"] == "valid") & both["fold"].isin(folds[1:]))
        ]
    write_frame(folder / name / "predictions.parquet", listed(both.sample(frac=1, random_state=0)), PROTEIN)
    return folder / name / "predictions.parquet"


def measure(folder: Path, split: Path, **inputs) -> dict[str, pd.DataFrame]:
    names = ["metrics", "comparison", "notes", "roc", "pr", "reliability", "thresholds", "contacts"]
    paths = {name: folder / "out" / f"{name}.csv" for name in names}
    command.metrics(split=split, **paths, **inputs, settings=SETTINGS)
    return {name: pd.read_csv(path) for name, path in paths.items()}


def value(table: pd.DataFrame, experiment: str, metric: str, split: str = "test") -> float:
    rows = table[(table["experiment"] == experiment) & (table["metric"] == metric) & (table["split"] == split)]
    assert len(rows) == 1
    return rows["value"].iloc[0]


def test_metrics_comparison_and_curves_of_solubility(tmp_path, split):
    paths = [solubility(tmp_path, "head", 2.0), solubility(tmp_path, "baseline_x", 0.5)]
    found = measure(tmp_path, split, solubility=paths)
    table = found["metrics"]
    assert list(table.columns) == COLUMNS
    predictions = pd.read_parquet(paths[0]).query("split == 'test'")
    area = roc_auc_score(predictions["truth"], predictions["score"].str[0])
    assert value(table, "head", "roc_auc") == pytest.approx(area, abs=1e-5)
    inside = table[np.isfinite(table["value"])]
    assert ((inside["ci_low"] <= inside["value"] + 0.05) & (inside["value"] - 0.05 <= inside["ci_high"])).all()
    row = found["comparison"].query("metric == 'roc_auc' and split == 'test'").iloc[0]
    assert (row["experiment"], row["baseline"], row["verdict"], row["n"]) == ("head", "baseline_x", "better", COUNT)
    assert row["difference"] == pytest.approx(row["value"] - row["baseline_value"], abs=1e-5)
    curve = found["roc"].query("experiment == 'head'")
    by_trapezoid = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert by_trapezoid == pytest.approx(area, abs=0.002)
    assert found["reliability"].groupby("experiment")["n"].sum().to_dict() == {"head": COUNT, "baseline_x": COUNT}


def test_thresholds_come_from_the_validation_fold_of_the_same_members(tmp_path, split):
    path = solubility(tmp_path, "head", 1.0)
    found = measure(tmp_path, split, solubility=[path])
    predictions = pd.read_parquet(path)
    cuts = found["thresholds"].set_index("fold")["threshold"]
    tested = predictions[predictions["split"] == "test"]
    called = tested["score"].str[0] >= ((tested["fold"] + 1) % FOLDS).map(cuts)
    expected = matthews_corrcoef(tested["truth"], called)
    assert value(found["metrics"], "head", "mcc") == pytest.approx(expected, abs=1e-5)
    flipped = predictions.copy()  # the test labels may not move a threshold
    rows = flipped["split"] == "test"
    flipped.loc[rows, "truth"] = 1 - flipped.loc[rows, "truth"]
    write_frame(path, flipped, PROTEIN)
    again = measure(tmp_path, split, solubility=[path])
    assert again["thresholds"].equals(found["thresholds"])


def test_a_baseline_is_measured_on_the_proteins_of_the_experiments(tmp_path, split):
    paths = [solubility(tmp_path, "head", 1.0, folds=[0, 1]), solubility(tmp_path, "baseline_x", 0.5)]
    found = measure(tmp_path, split, solubility=paths)
    counts = found["metrics"].query("metric == 'roc_auc' and split == 'test'").set_index("experiment")["n"]
    assert counts.to_dict() == {"head": COUNT // FOLDS, "baseline_x": COUNT // FOLDS}


def test_an_experiment_is_no_better_than_itself(tmp_path, split):
    solubility(tmp_path, "head", 1.0)
    baseline = tmp_path / "baseline_same" / "predictions.parquet"
    baseline.parent.mkdir()
    baseline.write_bytes((tmp_path / "head" / "predictions.parquet").read_bytes())
    found = measure(tmp_path, split, solubility=[tmp_path / "head" / "predictions.parquet", baseline])
    assert (found["comparison"]["difference"] == 0).all()
    assert set(found["comparison"]["verdict"]) == {"no clear difference"}


def test_one_class_is_noted_and_undefined(tmp_path, split):
    found = measure(tmp_path, split, solubility=[solubility(tmp_path, "head", 1.0, one_class=True)])
    assert np.isnan(value(found["metrics"], "head", "roc_auc"))
    assert found["notes"]["note"].str.contains("roc_auc").any()
    assert found["notes"]["note"].str.contains("threshold 0.5, for want of two classes").any()
    assert found["roc"].empty


def test_two_names_alike_are_refused(tmp_path, split):
    paths = [solubility(tmp_path / "a", "head", 1.0), solubility(tmp_path / "b", "head", 1.0)]
    with pytest.raises(FoldgraftError, match="names must differ"):
        measure(tmp_path, split, solubility=paths)


@pytest.fixture
def chains(tmp_path) -> tuple[Path, dict[str, np.ndarray]]:
    """Targets of eight chains of 40 residues with random contacts."""
    rng, truth = np.random.default_rng(0), {}
    pairs = len(triangle(40)[0])
    with row_writer(tmp_path / "targets.parquet", SCHEMA) as writer:
        for n in range(8):
            truth[f"c{n}"] = rng.random(pairs) < 0.15
            writer.write(
                Targets(
                    id=f"c{n}",
                    sequence="A" * 40,
                    sequence_sha256=sequence_sha256(f"c{n}"),
                    distogram=np.zeros(pairs, np.uint8),
                    contacts=truth[f"c{n}"],
                    pair_mask=np.ones(pairs, bool),
                    torsions=np.zeros((40, 7, 2), np.float32),
                    torsion_mask=np.zeros((40, 7), bool),
                    ss3="C" * 40,
                ).row()
            )
    return tmp_path / "targets.parquet", truth


def contact(folder: Path, name: str, truth: dict[str, np.ndarray], skill: float, extra: str | None = None) -> Path:
    rng = np.random.default_rng(0)
    with row_writer(folder / name / "predictions.parquet", PAIR) as writer:
        for n, (one, contacts) in enumerate([*truth.items(), *([(extra, truth["c0"])] if extra else [])]):
            scores = (skill * contacts + rng.random(len(contacts))).astype(np.float32)
            row = {"id": one, "sequence_sha256": sequence_sha256(one), "fold": n % FOLDS, "length": 40}
            writer.write(row | {"split": "test", "score": scores})
    return folder / name / "predictions.parquet"


def test_contact_metrics_and_comparison(tmp_path, split, chains):
    targets, truth = chains
    paths = [contact(tmp_path, "pair", truth, 2.0), contact(tmp_path, "baseline_separation", truth, 0.0)]
    found = measure(tmp_path, split, contact=paths, targets=[targets])
    assert value(found["metrics"], "pair", "P@L/5 all") == 1.0
    assert found["contacts"].groupby("experiment").size().to_dict() == {"pair": 8, "baseline_separation": 8}
    mean = found["contacts"].query("experiment == 'baseline_separation'")["P@L/5 all"].mean()
    assert value(found["metrics"], "baseline_separation", "P@L/5 all") == pytest.approx(mean, abs=1e-5)
    row = found["comparison"].query("metric == 'P@L all' and split == 'test'").iloc[0]
    assert row["verdict"] == "better"
    sizes = found["metrics"].query("experiment == 'pair'").set_index("metric")["n"]
    compared = found["comparison"].set_index("metric")["n"]
    assert compared.to_dict() == sizes.to_dict()
    assert found["notes"]["note"].str.contains("no valid protein").any()


def test_a_verdict_needs_five_proteins(tmp_path, split, chains):
    targets, truth = chains
    few = {name: truth[name] for name in sorted(truth)[:4]}
    paths = [contact(tmp_path, "pair", few, 2.0), contact(tmp_path, "baseline_separation", few, 0.0)]
    found = measure(tmp_path, split, contact=paths, targets=[targets])["comparison"]
    row = found.query("metric == 'P@L all' and split == 'test'").iloc[0]
    assert row["ci_low"] > 0
    assert (row["n"], row["verdict"]) == (4, "too few to tell")


def test_a_constant_needs_no_note_on_threshold_and_ranking(tmp_path, split):
    path = solubility(tmp_path, "baseline_constant", 0.0, folds=[0, 1])
    table = pd.read_parquet(path)
    table["truth"] = np.where(table["truth"] > 0, 0.75, 0.25)
    write_frame(path, table.assign(score=[[0.5]] * len(table)), PROTEIN)
    found = measure(tmp_path, split, solubility=[path])
    assert np.isnan(value(found["metrics"], "baseline_constant", "spearman"))
    assert found["notes"].empty


def test_a_prediction_without_target_is_left_out_and_noted(tmp_path, split, chains):
    targets, truth = chains
    found = measure(tmp_path, split, contact=[contact(tmp_path, "pair", truth, 1.0, "extra")], targets=[targets])
    assert len(found["contacts"]) == 8
    assert found["notes"]["note"].str.contains("1 predicted proteins have no structure target").any()


def test_a_prediction_of_another_sequence_is_refused(tmp_path, split, chains):
    targets, truth = chains
    path = contact(tmp_path, "pair", {"c0": truth["c0"]}, 1.0)
    table = pd.read_parquet(path).assign(sequence_sha256="0" * 64)
    write_frame(path, table, PAIR)
    with pytest.raises(FoldgraftError, match="different sequences"):
        measure(tmp_path, split, contact=[path], targets=[targets])


def test_nothing_to_measure_gives_empty_tables(tmp_path, split):
    found = measure(tmp_path, split)
    assert all(table.empty for table in found.values())
    assert list(found["metrics"].columns) == COLUMNS
