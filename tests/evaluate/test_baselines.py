"""The baselines: what they may learn from, and what they find."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate import composition, contacts, separation
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.files import sequence_sha256
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import PAIR
from foldgraft.records.tables import read_arrays, row_writer, write_frame
from foldgraft.records.targets import SCHEMA, Targets
from foldgraft.residues import AMINO_ACIDS

FOLDS = 4


def labelled(count: int = 240, fractional: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sequences whose label follows from their charge, and their split."""
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list(AMINO_ACIDS), 60)) for _ in range(count)]
    charge = np.array([sum(s.count(a) for a in "KR") - sum(s.count(a) for a in "DE") for s in sequences])
    chance = 1 / (1 + np.exp(-charge / 2))
    label = np.round(chance, 2) if fractional else (rng.random(count) < chance).astype(float)
    ids = [f"p{n:03d}" for n in range(count)]
    labels = pd.DataFrame(
        {"id": ids, "sequence": sequences, "sequence_sha256": list(map(sequence_sha256, sequences)), "label": label}
    ).assign(fold=None)
    return labels, pd.DataFrame({"id": ids, "fold": np.arange(count) % FOLDS})


def test_features_counted_by_hand():
    found = composition.features("aAKDxH")
    assert found.shape == (24,)
    assert found[AMINO_ACIDS.index("A")] == 2 / 5
    assert found[20:].tolist() == [np.log(6), 0.0, 0.0, 0.0]
    assert composition.features("KKRE")[21:].tolist() == [2.0, 2.0, 0.5]


def test_composition_covers_every_fold_and_finds_the_charge():
    labels, split = labelled()
    found, constant = composition.baselines(labels, split, seed=0)
    for table in (found, constant):
        assert len(table) == 2 * len(labels)
        assert set(table.loc[table["split"] == "test", "id"]) == set(labels["id"])
        assert not table.duplicated(["split", "id"]).any()
    tested = found[found["split"] == "test"]
    assert roc_auc_score(tested["truth"], tested["score"].str[0]) > 0.7
    means = (
        constant[constant["split"] == "test"]
        .assign(score=lambda rows: rows["score"].str[0])
        .groupby("fold")["score"]
        .first()
    )
    merged = labels.drop(columns="fold").merge(split, on="id")
    for fold in range(FOLDS):
        train = merged[~merged["fold"].isin([fold, (fold + 1) % FOLDS])]
        assert means[fold] == pytest.approx(train["label"].mean())


def test_a_label_of_the_tested_or_validated_fold_changes_no_prediction_for_it():
    labels, split = labelled()
    changed = labels.copy()
    held_out = (split["fold"] == 2).to_numpy()
    changed.loc[held_out, "label"] = 1.0
    before, after = (composition.baselines(table, split, seed=0)[1] for table in (labels, changed))
    rows = (before["split"] == "test") & before["fold"].isin([1, 2])
    assert np.array_equal(before.loc[rows, "score"].str[0], after.loc[rows, "score"].str[0])
    rows = (before["split"] == "test") & (before["fold"] == 0)
    assert not np.allclose(before.loc[rows, "score"].str[0], after.loc[rows, "score"].str[0])


def test_fractions_are_learnt_as_fractions():
    labels, split = labelled(fractional=True)
    found, _ = composition.baselines(labels, split, seed=0)
    assert np.corrcoef(found["truth"], found["score"].str[0])[0, 1] > 0.9


def test_one_class_in_training_gives_a_constant():
    inputs = np.random.default_rng(0).normal(size=(10, 24))
    score = composition.fit(inputs, np.ones(10), inputs, np.ones(10), inputs, seed=0)
    assert np.all(score == 1)


def test_too_few_folds_are_named():
    labels, split = labelled(20)
    with pytest.raises(FoldgraftError, match="2 folds"):
        composition.baselines(labels, split.assign(fold=split["fold"] % 2), seed=0)


def structure(name: str, length: int, contacts: set[int], unresolved: int | None = None) -> Targets:
    """A chain whose pairs are in contact at the given separations."""
    i, j = triangle(length)
    mask = (i != unresolved) & (j != unresolved)
    return Targets(
        id=name,
        sequence="A" * length,
        sequence_sha256=sequence_sha256("A" * length),
        distogram=np.zeros(len(i), np.uint8),
        contacts=np.isin(j - i, list(contacts)) & mask,
        pair_mask=mask,
        torsions=np.zeros((length, 7, 2), np.float32),
        torsion_mask=np.zeros((length, 7), bool),
        ss3="C" * length,
    )


def write_structures(path, structures):
    with row_writer(path, SCHEMA) as writer:
        for one in structures:
            writer.write(one.row())


def test_separation_learns_from_other_folds_only(tmp_path):
    write_structures(tmp_path / "s.parquet", [structure(f"c{fold}", 12, {fold + 6}) for fold in range(FOLDS)])
    split = pd.DataFrame({"id": [f"c{fold}" for fold in range(FOLDS)], "fold": range(FOLDS)})
    counts = separation.SeparationCounts([tmp_path / "s.parquet"], split)
    chance = counts.probability(14, (0, 1))
    rate = chance[13]  # no chain is that long: the overall rate
    assert chance[8] > 0.4  # fold 2 has contacts there, fold 3 has not
    assert chance[9] > 0.4
    assert chance[6] < rate
    assert chance[7] < rate
    assert rate == pytest.approx((4 + 3) / (2 * 66))


def test_unresolved_pairs_do_not_count(tmp_path):
    chains = [structure(f"c{fold}", 8, {6}, unresolved=0) for fold in range(3)]
    write_structures(tmp_path / "s.parquet", chains)
    split = pd.DataFrame({"id": [one.id for one in chains], "fold": range(3)})
    counts = separation.SeparationCounts([tmp_path / "s.parquet"], split)
    assert counts.probability(8, (0, 1))[6] == pytest.approx((1 + 1 / 21) / 2)


def test_a_chain_of_two_shards_counts_once_as_the_first_has_it(tmp_path):
    write_structures(tmp_path / "1", [structure(f"c{fold}", 8, {6}) for fold in range(3)])
    write_structures(tmp_path / "2", [structure("c2", 8, {5})])
    split = pd.DataFrame({"id": ["c0", "c1", "c2"], "fold": range(3)})
    once, both = (
        separation.SeparationCounts([tmp_path / name for name in names], split).probability(8, (0, 1))
        for names in ("1", "12")
    )
    assert np.array_equal(once, both)
    counted, mask = contacts.Truth([tmp_path / "1", tmp_path / "2"], {"c2"}).get("c2", sequence_sha256("A" * 8))
    assert mask.all() and counted.sum() == 2  # at separation 6, not the 3 at separation 5


def wanted(length: int = 9) -> pd.DataFrame:
    rows = [("a", "test", 0), ("a", "valid", 0), ("b", "test", 1)]
    table = pd.DataFrame(rows, columns=["id", "split", "fold"])
    return table.assign(sequence_sha256=sequence_sha256("A" * length), length=length)


def test_coevolution_takes_the_scores_and_zero_where_there_are_none(tmp_path):
    scores = np.linspace(0, 1, 36, dtype=np.float32)
    frame = pd.DataFrame({"id": ["a", "z"], "length": [9, 9], "neff": [1.0, 1.0], "scores": [scores, scores]})
    write_frame(tmp_path / "c.parquet", frame, COEVOLUTION)
    separation.write_coevolution(tmp_path / "out.parquet", wanted(), [tmp_path / "c.parquet"])
    rows = {(row["id"], row["split"]): row["score"] for row in read_arrays(tmp_path / "out.parquet", PAIR)}
    assert set(rows) == {("a", "test"), ("a", "valid"), ("b", "test")}
    assert np.array_equal(rows["a", "valid"], scores)
    assert not rows["b", "test"].any()


def test_coevolution_of_another_length_is_refused(tmp_path):
    frame = pd.DataFrame({"id": ["a"], "length": [8], "neff": [1.0], "scores": [np.zeros(28, np.float32)]})
    write_frame(tmp_path / "c.parquet", frame, COEVOLUTION)
    with pytest.raises(FoldgraftError, match="'a' is of another length"):
        separation.write_coevolution(tmp_path / "out.parquet", wanted(), [tmp_path / "c.parquet"])
    assert not (tmp_path / "out.parquet").exists()
