"""The audit finds what was planted: copies, homologs, fragments in both directions, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from foldgraft.cluster.audit import audit, enforce, verdict
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError
from foldgraft.records.files import sequence_sha256
from foldgraft.records.split import LEAKAGE
from foldgraft.residues import AMINO_ACIDS

rng = np.random.default_rng(3)
A, B, C, D = ("".join(rng.choice(list(AMINO_ACIDS), 200)) for _ in range(4))
REPEAT = "Q" * 40

ROWS = [
    ("labels", "train-a", A, "train"),
    ("labels", "train-a-copy", A, "train"),
    ("labels", "valid-b", B[50:130], "valid"),
    ("labels", "train-repeat", REPEAT, "train"),
    ("labels", "train-peptide", "ACDEF", "train"),
    ("structures", "other-set", C, "train"),
    ("labels", "fragment-of-train", A[20:90], "test"),
    ("labels", "whole-of-valid", B, "test"),
    ("labels", "same-repeat", REPEAT, "test"),
    ("labels", "same-peptide", "ACDEF", "test"),
    ("labels", "only-in-other-set", C, "test"),
    ("labels", "half-shared", A[:80] + D[:120], "test"),
    ("labels", "stranger", D, "test"),
    ("structures", "elsewhere", D, "test"),
]


@pytest.fixture(scope="module")
def leakage(tmp_path_factory):
    return audit(proteins(), ClusterSettings(), tmp_path_factory.mktemp("audit"))


def proteins():
    table = pd.DataFrame(ROWS, columns=["set", "id", "sequence", "split"])
    table["sequence_sha256"] = table.sequence.map(sequence_sha256)
    return table.assign(fold=table.split.map({"test": 0, "valid": 1, "train": 2}))


def test_every_test_protein_has_one_row(leakage):
    assert list(leakage.columns) == LEAKAGE.names
    assert sorted(leakage.id) == sorted(name for _, name, _, split in ROWS if split == "test")


@pytest.mark.parametrize(
    ("name", "nearest", "leak"),
    [
        ("fragment-of-train", "train-a", True),
        ("whole-of-valid", "valid-b", True),
        ("same-repeat", "train-repeat", True),
        ("same-peptide", "train-peptide", True),
        ("half-shared", "train-a", False),
        ("only-in-other-set", None, False),
        ("stranger", None, False),
        ("elsewhere", None, False),
    ],
)
def test_what_is_near_and_what_leaks(leakage, name, nearest, leak):
    row = leakage.set_index("id").loc[name]
    assert (row.nearest if pd.notna(row.nearest) else None) == nearest
    assert bool(row.leak) is leak
    assert pd.isna(row.identity) == (nearest is None)


def test_a_fragment_shows_in_one_coverage_only(leakage):
    row = leakage.set_index("id").loc["fragment-of-train"]
    assert row.coverage_query > 0.9 and row.coverage_target < 0.5


def test_every_fold_of_a_cross_validated_set_is_tested(leakage, tmp_path):
    crossed = audit(proteins(), ClusterSettings(), tmp_path, cross_validated=["labels"]).set_index("id")
    table = proteins().set_index("id")
    assert crossed.fold.to_dict() == table.fold.drop("other-set").to_dict()  # of the structures the test split alone
    assert crossed.loc["train-a", "nearest"] == "fragment-of-train" and crossed.loc["train-a", "leak"]
    assert crossed.loc["valid-b", "nearest"] == "whole-of-valid"
    of_test = crossed.loc[leakage.id].reset_index()[leakage.columns]
    values = ["identity", "coverage_query", "coverage_target"]
    pd.testing.assert_frame_equal(
        of_test.sort_values("id", ignore_index=True)[["id", "nearest", "leak", *values]],
        leakage.sort_values("id", ignore_index=True)[["id", "nearest", "leak", *values]],
    )


def test_the_verdict_counts_and_names_the_worst(leakage):
    found = verdict(leakage, ClusterSettings(max_leak=0.1))
    assert found["labels"] | {"text": ""} == {
        "test": 7, "leaking": 4, "fraction": 4 / 7, "threshold": 0.1, "verdict": "leaks", "text": "",
    }  # fmt: skip
    assert "4 of 7" in found["labels"]["text"] and "100% identical" in found["labels"]["text"]
    assert found["structures"]["verdict"] == "clean"
    assert verdict(leakage, ClusterSettings(max_leak=0.6))["labels"]["verdict"] == "clean"


def test_a_leak_stops_the_run_only_if_asked(leakage):
    settings = ClusterSettings(on_leak="fail")
    enforce(verdict(leakage, settings), ClusterSettings())
    with pytest.raises(FoldgraftError, match=r"4 of 7 .* The worst: "):
        enforce(verdict(leakage, settings), settings)
    enforce(verdict(leakage.assign(leak=False), settings), settings)
