"""Baselines of labels of residues: one-hot windows, the state, and a constant."""

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import STATES, TORSIONS, about, split_frame, write_residues

from foldgraft.evaluate.baselines import residue
from foldgraft.evaluate.baselines import run as run_baseline
from foldgraft.evaluate.baselines.residue import WINDOW, windows
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.metrics.angles import angle_errors
from foldgraft.records import labels
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import SCHEMA, Targets, read_targets
from foldgraft.records.targets import TORSIONS as KINDS
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.truth import TRUTH

CHAINS, LENGTH = 24, 60
ANGLES = {"H": (-60.0, -45.0), "E": (-120.0, 130.0), "C": (60.0, 0.0)}


def chain(number: int) -> Targets:
    """A chain whose state follows from the letter two residues on, and whose angles follow from the state."""
    rng = np.random.default_rng(number)
    sequence = "".join(rng.choice(list("AVG"), LENGTH))
    states = "".join({"A": "H", "V": "E", "G": "C"}[letter] for letter in sequence[2:] + "GG")
    angle = np.radians([ANGLES[state] for state in states] + rng.normal(0, 5, (LENGTH, 2)))
    torsions = np.zeros((LENGTH, len(KINDS), 2), np.float32)
    mask = np.zeros((LENGTH, len(KINDS)), bool)
    for at in (0, 1):
        torsions[:, at] = np.stack([np.sin(angle[:, at]), np.cos(angle[:, at])], axis=1)
        mask[:, at] = True
    mask[0, 0] = mask[-1, 1] = False
    pairs = LENGTH * (LENGTH - 1) // 2
    return Targets(
        id=f"c{number:02d}", sequence=sequence, sequence_sha256=sequence_sha256(sequence), torsions=torsions,
        distogram=np.zeros(pairs, np.uint8), contacts=np.zeros(pairs, bool), pair_mask=np.ones(pairs, bool),
        torsion_mask=mask, ss3="-" + states[1:],
    )  # fmt: skip


def run(folder, task: str, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Truth and score of each test chain."""
    with row_writer(folder / "targets.parquet", SCHEMA) as writer:
        for number in range(CHAINS):
            writer.write(chain(number).row())
    chains = list(read_targets(folder / "targets.parquet"))
    split = split_frame([one.id for one in chains], "structures")
    truth = [TRUTH[task](one) for one in chains]
    outputs = 3 if task == "ss3" else 4
    head = about("head", "residue", STATES if task == "ss3" else TORSIONS, task)
    guess = [np.zeros((LENGTH, outputs))] * CHAINS
    predictions = write_residues(folder / "head.parquet", head, split, truth, guess)
    run_baseline(
        name,
        [predictions],
        split,
        output=folder / "out.parquet",
        settings=EvaluateSettings(),
        targets=[folder / "targets.parquet"],
    )
    table = pd.read_parquet(folder / "out.parquet")
    assert len(table) == 2 * CHAINS
    return {
        row.id: (row.truth.reshape(LENGTH, -1), row.score.reshape(LENGTH, -1))
        for row in table[table["split"] == "test"].itertuples()
    }


def test_windows_by_hand():
    found = windows("AXc").toarray().reshape(3, WINDOW, 21)
    middle = WINDOW // 2
    assert found[0, middle, AMINO_ACIDS.index("A")] == 1
    assert found[0, middle + 1, 20] == 1  # X is none of the twenty
    assert found[0, middle + 2, AMINO_ACIDS.index("C")] == 1
    assert found.sum() == 9  # three letters seen from each of three places, nothing beyond the ends


@pytest.mark.parametrize("most", [100_000, 300])
def test_one_hot_windows_see_the_letter_two_residues_on(tmp_path, monkeypatch, most):
    monkeypatch.setattr(residue, "MOST", most)
    found = run(tmp_path, "ss3", "onehot")
    right = np.concatenate([score.argmax(axis=1)[1:-2] == truth[1:-2, 0] for truth, score in found.values()])
    assert right.mean() > 0.99
    assert all(score.sum(axis=1) == pytest.approx(1, abs=1e-5) for _, score in found.values())


def test_a_constant_says_the_frequencies(tmp_path):
    score = next(iter(run(tmp_path, "ss3", "constant").values()))[1]
    assert (score == score[0]).all()
    assert score[0] == pytest.approx(1 / 3, abs=0.08)


def test_the_state_alone_says_its_mean_angles(tmp_path):
    found = run(tmp_path, "torsions", "state")
    errors = np.concatenate([angle_errors(truth, score)[1:] for truth, score in found.values()])
    assert np.nanmean(errors, axis=0) == pytest.approx([4, 4], abs=1)  # the mean error of 5 degrees' deviation
    length = np.concatenate([np.hypot(score[:, 0], score[:, 1]) for _, score in found.values()])
    assert length == pytest.approx(1, abs=1e-5)


def test_one_hot_windows_predict_angles_on_the_circle(tmp_path):
    found = run(tmp_path, "torsions", "onehot")
    errors = np.concatenate([angle_errors(truth, score)[1:-2] for truth, score in found.values()])
    assert np.nanmean(errors) < 15


@pytest.mark.parametrize("kind", ["binary", "value"])
def test_labels_of_residues_come_from_a_table_too(tmp_path, kind):
    chains = [chain(number) for number in range(CHAINS)]
    truth = [np.where(np.array(list(one.sequence)) == "A", 1.0, 0.0)[:, None] for one in chains]
    truth[0][:5] = np.nan
    rows = [
        {
            "id": one.id, "sequence": one.sequence, "sequence_sha256": one.sequence_sha256, "label": None,
            "residues": values.ravel().astype(np.float32), "fold": None, "split": None, "group": None,
            "covariates": [], "replicates": 1, "spread": None,
        }
        for one, values in zip(chains, truth, strict=True)
    ]  # fmt: skip
    described = labels.described(labels.Description(task="made_up", level="residue", kind=kind))
    with row_writer(tmp_path / "made_up-00000.parquet", described) as writer:
        for row in rows:
            writer.write(row)
    split = split_frame([one.id for one in chains], "made_up")
    head = about("head", "residue", {"kind": kind})
    guess = [np.zeros((LENGTH, 1))] * CHAINS
    files = [write_residues(tmp_path / "head.parquet", head, split, truth, guess)]
    output, shards = tmp_path / "out.parquet", [tmp_path / "made_up-00000.parquet"]
    run_baseline("onehot", files, split, output=output, settings=EvaluateSettings(), labels=shards)
    table = pd.read_parquet(output).query("split == 'test'").set_index("id")
    said, known = np.concatenate(table["score"].tolist()), np.concatenate(table["truth"].tolist())
    assert ((said > 0.5) == (known == 1))[np.isfinite(known)].all()
