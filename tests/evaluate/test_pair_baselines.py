"""Baselines of residue pairs: separation and coevolution."""

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import BINARY, FOLDS, about

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines.inputs import Inputs
from foldgraft.evaluate.baselines.pair import SeparationCounts, write_coevolution, write_separation
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.files import sequence_sha256
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_arrays, row_writer, write_frame
from foldgraft.records.targets import SCHEMA, Targets

BINS = {"kind": "classes", "names": [f"bin_{n}" for n in range(64)]}


def structure(name: str, length: int, contacts: set[int], unresolved: int | None = None) -> Targets:
    """A chain whose pairs are in contact, and in the third bin of distance, at the given separations; else the last."""
    i, j = triangle(length)
    mask = (i != unresolved) & (j != unresolved)
    close = np.isin(j - i, list(contacts)) & mask
    return Targets(
        id=name,
        sequence="A" * length,
        sequence_sha256=sequence_sha256("A" * length),
        distogram=np.where(mask, np.where(close, 2, 63), 255).astype(np.uint8),
        contacts=close,
        pair_mask=mask,
        torsions=np.zeros((length, 7, 2), np.float32),
        torsion_mask=np.zeros((length, 7), bool),
        ss3="C" * length,
    )


def write_structures(path, structures):
    with row_writer(path, SCHEMA) as writer:
        for one in structures:
            writer.write(one.row())


def folds(count: int = FOLDS) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"c{fold}" for fold in range(count)], "fold": range(count)})


def contact(counts: SeparationCounts, length: int, left_out: tuple[int, ...]) -> np.ndarray:
    return counts.probabilities(length, left_out)[:, 1]


def test_separation_learns_from_other_folds_only(tmp_path):
    write_structures(tmp_path / "s.parquet", [structure(f"c{fold}", 12, {fold + 6}) for fold in range(FOLDS)])
    counts = SeparationCounts([tmp_path / "s.parquet"], folds(), 2)
    chance = contact(counts, 14, (0, 1))
    rate = chance[13]  # no chain is that long: the overall rate
    assert chance[8] > 0.4  # fold 2 has contacts there, fold 3 has not
    assert chance[9] > 0.4
    assert chance[6] < rate
    assert chance[7] < rate
    assert rate == pytest.approx((4 + 3) / (2 * 66))


def test_unresolved_pairs_do_not_count(tmp_path):
    write_structures(tmp_path / "s.parquet", [structure(f"c{fold}", 8, {6}, unresolved=0) for fold in range(3)])
    counts = SeparationCounts([tmp_path / "s.parquet"], folds(3), 2)
    assert contact(counts, 8, (0, 1))[6] == pytest.approx((1 + 1 / 21) / 2)


def test_a_chain_of_two_shards_counts_once_as_the_first_has_it(tmp_path):
    write_structures(tmp_path / "1", [structure(f"c{fold}", 8, {6}) for fold in range(3)])
    write_structures(tmp_path / "2", [structure("c2", 8, {5})])
    once, both = (
        contact(SeparationCounts([tmp_path / name for name in names], folds(3), 2), 8, (0, 1)) for names in ("1", "12")
    )
    assert np.array_equal(once, both)


def test_no_training_structure_is_named(tmp_path):
    write_structures(tmp_path / "s.parquet", [structure("c0", 8, {6})])
    with pytest.raises(FoldgraftError, match="no training structure"):
        SeparationCounts([tmp_path / "s.parquet"], folds(3), 2).probabilities(8, (0, 1))


def inputs(
    folder, target=BINARY, length: int = 9, rows=(("a", "test", 0), ("a", "valid", 0), ("b", "test", 1)), **more
):
    table = pd.DataFrame(rows, columns=["id", "split", "fold"])
    table = table.assign(sequence_sha256=table["id"].map(sequence_sha256), length=length)
    one = about("baseline_x", "pair", target, "contact")
    return Inputs(one, table, folds(), folder / "out.parquet", EvaluateSettings(), **more)


def test_separation_as_contacts_leaves_out_near_pairs(tmp_path):
    write_structures(tmp_path / "s.parquet", [structure(f"c{fold}", 12, {3, 7}) for fold in range(FOLDS)])
    write_separation(inputs(tmp_path, targets=[tmp_path / "s.parquet"]))
    i, j = triangle(9)
    rows = list(read_arrays(tmp_path / "out.parquet", schema_of(about("b", "pair", BINARY))))
    assert len(rows) == 3
    for row in rows:
        assert (row["score"][j - i < 6] == 0).all()
        assert row["score"][j - i == 7].min() > row["score"][j - i == 6].max() > 0


def test_separation_as_distances(tmp_path):
    chains = [structure(f"c{fold}", 12, {7}) for fold in range(FOLDS)]
    write_structures(tmp_path / "s.parquet", chains)
    one = inputs(tmp_path, BINS, 12, (("c0", "test", 0),), targets=[tmp_path / "s.parquet"])
    write_separation(one)
    row = next(read_arrays(tmp_path / "out.parquet", schema_of(one.about)))
    i, j = triangle(12)
    chance = SeparationCounts([tmp_path / "s.parquet"], folds(), 64).probabilities(12, (0,))
    far = j - i >= 6
    expected = -np.log(chance[(j - i)[far], chains[0].distogram[far]])
    assert row["cross_entropy"] == pytest.approx(expected.mean())
    assert row["score"][j - i == 7].min() > 0.9  # the third bin is nearer than 8 angstrom
    assert row["score"][j - i == 8].max() < 0.1
    assert np.isnan(row["distance"][j - i < 6]).all()
    assert row["distance"][j - i == 7].max() < 6 < 20 < row["distance"][j - i == 8].min()


def write_scores(path, length: int, pairs: int) -> np.ndarray:
    scores = np.linspace(0, 1, pairs, dtype=np.float32)
    frame = pd.DataFrame({"id": ["a", "z"], "length": length, "neff": 1.0, "scores": [scores, scores]})
    frame["sequence_sha256"] = frame["id"].map(sequence_sha256)
    write_frame(path, frame, COEVOLUTION)
    return scores


@pytest.mark.parametrize("target", [BINARY, BINS])
def test_coevolution_takes_the_scores_and_zero_where_there_are_none(tmp_path, target):
    scores = write_scores(tmp_path / "c.parquet", 9, 36)
    one = inputs(tmp_path, target, coevolution=[tmp_path / "c.parquet"])
    write_coevolution(one)
    rows = {(row["id"], row["split"]): row for row in read_arrays(tmp_path / "out.parquet", schema_of(one.about))}
    assert set(rows) == {("a", "test"), ("a", "valid"), ("b", "test")}
    assert np.array_equal(rows["a", "valid"]["score"], scores)
    assert not rows["b", "test"]["score"].any()
    assert target == BINARY or rows["a", "test"]["cross_entropy"] is None


def test_coevolution_of_another_length_is_refused(tmp_path):
    write_scores(tmp_path / "c.parquet", 8, 28)
    with pytest.raises(FoldgraftError, match="'a' is of another length"):
        write_coevolution(inputs(tmp_path, coevolution=[tmp_path / "c.parquet"]))
    assert not (tmp_path / "out.parquet").exists()
