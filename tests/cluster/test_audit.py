"""The audit finds what was planted: copies, homologs, fragments in both directions, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from foldgraft import mmseqs
from foldgraft.cluster.audit import audit, audit_external
from foldgraft.cluster.proteins import COLUMNS
from foldgraft.cluster.search import Searches
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.cluster.verdict import enforce, verdict
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


APART = ClusterSettings(together=False)


@pytest.fixture(scope="module")
def leakage(tmp_path_factory):
    return audit(proteins(ROWS), APART, tmp_path_factory.mktemp("audit"))


def proteins(rows):
    table = pd.DataFrame(rows, columns=["set", "id", "sequence", "split"])
    table["sequence_sha256"] = table.sequence.map(sequence_sha256)
    fold = table.split.map({"test": 0, "valid": 1, "train": 2})
    return table.drop(columns="split").reindex(columns=list(COLUMNS)).astype(COLUMNS).assign(fold=fold)


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
    crossed = audit(proteins(ROWS), APART, tmp_path, cross_validated=["labels"]).set_index("id")
    table = proteins(ROWS).set_index("id")
    assert crossed.fold.to_dict() == table.fold.drop("other-set").to_dict()  # of the structures the test split alone
    assert crossed.loc["train-a", "nearest"] == "fragment-of-train" and crossed.loc["train-a", "leak"]
    assert crossed.loc["valid-b", "nearest"] == "whole-of-valid"
    of_test = crossed.loc[leakage.id].reset_index()[leakage.columns]
    values = ["identity", "coverage_query", "coverage_target"]
    pd.testing.assert_frame_equal(
        of_test.sort_values("id", ignore_index=True)[["id", "nearest", "leak", *values]],
        leakage.sort_values("id", ignore_index=True)[["id", "nearest", "leak", *values]],
        check_dtype=False,
    )


def test_sets_that_are_split_together_are_audited_together(tmp_path):
    row = audit(proteins(ROWS), ClusterSettings(), tmp_path).set_index("id").loc["only-in-other-set"]
    assert (row.nearest, row.nearest_set, bool(row.leak)) == ("other-set", "structures", True)


def mask(sequence):
    """Every third residue stays, so that no two neighbours are known; then five in a row, for a seed."""
    return "".join(c if k % 3 == 0 or 60 <= k < 65 else "X" for k, c in enumerate(sequence))


BLIND = [
    ("labels", "train-13", "WKLFKKIGAVLKV", "train"),
    ("labels", "test-13", "WKLFKRIGAVLKV", "test"),
    ("labels", "train-10", "MDNWCPYHTR", "train"),
    ("labels", "test-10", "MDNWCPYHTK", "test"),
    ("labels", "train-whole", A, "train"),
    ("labels", "test-piece", A[60:72], "test"),
    ("labels", "train-repeat", "Q" * 80, "train"),
    ("labels", "test-repeat", "Q" * 40 + "P" + "Q" * 40, "test"),
    ("labels", "train-half", mask(B), "train"),
    ("labels", "test-half", mask(B[:120] + "W" + B[121:]), "test"),
    ("labels", "test-other-half", mask(C), "test"),
    ("labels", "test-unknown", "X" * 60, "test"),
    ("labels", "test-tiny", "WYC", "test"),
    ("labels", "valid-stranger", D, "valid"),
]


def test_what_the_search_is_blind_for_is_compared_residue_by_residue_or_said_not_to_be(tmp_path):
    found = audit(proteins(BLIND), APART, tmp_path).set_index("id")
    for name in ("13", "10", "repeat", "half"):
        assert (found.nearest[f"test-{name}"], found.method[f"test-{name}"]) == (f"train-{name}", "residues")
    assert found.nearest["test-piece"] == "train-whole" and found.coverage_query["test-piece"] == 1
    assert found.leak.drop(["test-other-half", "test-unknown", "test-tiny"]).all()
    assert found.identity["test-10"] == pytest.approx(0.9)
    assert found.method["test-unknown"] == found.method["test-tiny"] == "none"
    assert found.method["test-other-half"] == "residues" and pd.isna(found.nearest["test-other-half"])
    entry = verdict(found.reset_index(), APART)["labels"]
    assert entry["not_auditable"] == 2 and "2 more could not be audited" in entry["text"]


def test_a_dense_family_does_not_hide_the_one_relative_in_training(tmp_path, mutate):
    rng = np.random.default_rng(9)
    founder = "".join(rng.choice(list(AMINO_ACIDS), 70))
    relative = mutate(founder, 0.4, rng)
    rows = [("labels", f"t{k}", mutate(founder, 0.04, rng), "test") for k in range(1100)]
    rows += [("labels", "relative", relative, "train"), ("labels", "stranger", A, "valid")]
    found = audit(proteins(rows), ClusterSettings(sensitivity=4), tmp_path)
    assert len(found) == 1100 and (found.nearest == "relative").all() and found.leak.mean() > 0.99


def test_the_verdict_counts_and_names_the_worst(leakage):
    found = verdict(leakage, ClusterSettings(max_leak=0.1))
    assert {name: found["labels"][name] for name in ("test", "leaking", "fraction", "threshold", "verdict")} == {
        "test": 7, "leaking": 4, "fraction": 4 / 7, "threshold": 0.1, "verdict": "leaks",
    }  # fmt: skip
    assert "4 of 7" in found["labels"]["text"] and "100% identical" in found["labels"]["text"]
    assert found["structures"]["verdict"] == "clean"
    assert verdict(leakage, ClusterSettings(max_leak=0.6))["labels"]["verdict"] == "clean"


def test_the_worst_pairs_are_listed_once_each_and_test_proteins_counted_by_identity(leakage):
    entry = verdict(leakage, ClusterSettings())["labels"]
    assert [(pair["id"], pair["nearest"]) for pair in entry["worst"]][-1:] != []
    assert {pair["id"] for pair in entry["worst"]} == set(leakage.id[leakage.leak])
    identity = [pair["identity"] for pair in entry["worst"]]
    assert identity == sorted(identity, reverse=True)
    assert sum(part["test"] for part in entry["identities"]) == 7
    assert entry["identities"][0]["test"] == 2  # without any neighbour
    many = pd.concat([leakage[leakage.leak].assign(id=lambda rows, k=k: rows.id + str(k)) for k in range(4)])
    assert len(verdict(many, ClusterSettings())["labels"]["worst"]) == 10


@pytest.mark.parametrize(
    ("on_leak", "published", "stops"),
    [(None, False, True), (None, True, False), ("fail", True, True), ("report", False, False)],
)
def test_a_leak_stops_a_split_of_ours_and_is_reported_of_a_published_one(leakage, on_leak, published, stops):
    chosen = ClusterSettings(on_leak=on_leak)
    found = verdict(leakage, chosen, ["labels"] if published else [])
    if stops:
        with pytest.raises(FoldgraftError, match=r"4 of 7 .* The worst: .*on_leak") as told:
            enforce(found, chosen)
        assert ("use_published_folds" in str(told.value)) is published
    else:
        enforce(found, chosen)
    enforce(verdict(leakage.assign(leak=False), chosen), chosen)


def test_a_table_is_audited_against_what_heads_of_others_learnt_from(tmp_path):
    rows = [
        ("trial", "copy", A, "train"),
        ("trial", "fragment", C[20:120], "test"),
        ("trial", "stranger", D, "train"),
        ("trial", "copy-of-its-own", D, "test"),
        ("labels", "whole", A, "train"),
        ("structures", "chain", C, "valid"),
    ]
    found = audit_external(proteins(rows), "trial", ClusterSettings(), tmp_path).set_index("id")
    assert sorted(found.index) == ["copy", "copy-of-its-own", "fragment", "stranger"]
    assert found.leak.to_dict() == {"copy": True, "fragment": True, "stranger": False, "copy-of-its-own": False}
    assert found.nearest.dropna().to_dict() == {"copy": "whole", "fragment": "chain"}
    assert found.nearest_set.dropna().to_dict() == {"copy": "labels", "fragment": "structures"}


@pytest.mark.parametrize(("table", "source"), [("a", "z"), ("z", "a")])
def test_a_relative_that_is_in_the_table_too_is_found_where_lists_are_full(tmp_path, monkeypatch, table, source):
    """As in a family of more near copies than a list of hits holds: what counts is the search among the others."""
    rows = proteins([(table, "fragment", C[20:120], "test"), (table, "own", C, "test"), (source, "learnt", C, "train")])
    queries = sorted(rows.sequence_sha256.unique())
    monkeypatch.setattr(Searches, "among_all", lambda self, names: mmseqs.no_hits())
    monkeypatch.setattr(mmseqs, "crowded", lambda hits: queries)
    found = audit_external(rows, table, ClusterSettings(), tmp_path).set_index("id")
    assert found.leak.to_dict() == {"fragment": True, "own": True}
    assert found.nearest.to_dict() == {"fragment": "learnt", "own": "learnt"}


def test_a_sequence_of_two_folds_is_searched_from_each_where_lists_are_full(tmp_path, monkeypatch):
    """Cross-validated over published folds that share a sequence: each of its tests must see the other folds."""
    rows = [("labels", "here", C, "test"), ("labels", "there", C, "valid"), ("labels", "part", C[20:120], "train")]
    rows += [("labels", "twin", A[:100], "test"), ("labels", "whole", A, "test"), ("labels", "again", A, "train")]
    rows = proteins(rows)
    monkeypatch.setattr(Searches, "among_all", lambda self, names: mmseqs.no_hits())
    monkeypatch.setattr(mmseqs, "crowded", lambda hits: sorted(rows.sequence_sha256.unique()))
    found = audit(rows, ClusterSettings(), tmp_path, cross_validated=["labels"]).set_index("id")
    assert found.leak.all()
    nearest = found.nearest.to_dict()
    assert nearest["here"] == "there" and nearest["there"] == "here"  # the same sequence comes first
    assert nearest["part"] in ("here", "there") and nearest["twin"] == "again"
