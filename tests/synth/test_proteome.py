"""What the command writes: the promised files, names and counts, and the same bytes twice."""

import csv
import hashlib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from foldgraft.geometry import CONTACT_CUTOFF
from foldgraft.records.fasta import read_fasta
from foldgraft.residues import AMINO_ACIDS
from foldgraft.synth import solubility
from foldgraft.synth.fold import compact
from foldgraft.synth.potential import landscape
from foldgraft.synth.proteome import make_constructs, make_family
from foldgraft.synth.settings import SynthSettings, entry_names


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(proteome):
    with (proteome.folder / "labels.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_entries_are_those_planned(proteome):
    names = entry_names(proteome.settings)
    assert names == sorted(names) and names[0] == "sy00a" and len(names) == 4 * 3 + 1
    assert sorted(path.name for path in (proteome.folder / "structures").iterdir()) == [f"{n}.cif.gz" for n in names]
    assert [e for family in proteome.truth["families"] for e in family["entries"]] == names[:-1]


def test_labels_are_as_many_as_asked_and_distinct(proteome):
    rows = rows_of(proteome)
    assert len(rows) == 402 == len({row["id"] for row in rows})
    assert len({row["sequence"] for row in rows}) > 395
    assert {row["solubility"] for row in rows} == {"0", "1"}
    assert all(set(row["sequence"]) <= set(AMINO_ACIDS) for row in rows)


def test_homologs(proteome):
    records = list(read_fasta(proteome.folder / "sequences.fasta.gz"))
    assert len(records) == len({r.id for r in records}) == 4 * proteome.settings.homologs_per_family
    length = {family["name"]: family["length"] for family in proteome.truth["families"]}
    changed = [len(r.sequence) != length[r.id[:4]] for r in records]
    assert 0.3 < np.mean(changed) < 0.7


def test_constructs(proteome):
    records = list(read_fasta(proteome.folder / "constructs.fasta"))
    assert len(records) == 7 and records[0].id == "construct01_wt" and records[4].id == "construct02_wt"
    wild = records[0].sequence
    for mutant in records[1:4]:
        old, site, new = mutant.id[len("construct01_")], int(mutant.id[len("construct01_") + 1 : -1]), mutant.id[-1]
        assert wild[site - 1] == old != new
        assert mutant.sequence == wild[: site - 1] + new + wild[site:]


def test_number_of_constructs():
    settings = SynthSettings(
        families=2, structures_per_family=1, homologs_per_family=10, labels=20, constructs=9, longest=70
    )
    families = [make_family(settings, number) for number in range(2)]
    for count in range(1, 10):
        asked = settings.model_copy(update={"constructs": count})
        records = list(make_constructs(asked, families))
        assert len(records) == count == len({name for name, _ in records})


def test_same_seed_same_bytes_and_another_seed_others(tmp_path, command, root):
    small = {"families": 2, "structures_per_family": 5, "homologs_per_family": 10, "labels": 20, "longest": 70}
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = command(tmp_path / name, SynthSettings(seed=seed, **small).model_dump_json(), root)
        assert done.returncode == 0, done.stderr
    first, second, third = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert first.keys() == third.keys() and all(first[name] != third[name] for name in first)


@pytest.mark.parametrize(
    ("settings", "key"),
    [('{"familys": 3}', "familys"), ('{"families": 1}', "families"), ('{"shortest": 90, "longest": 95}', "longest")],
)
def test_bad_settings_are_named(tmp_path, command, root, settings, key):
    done = command(tmp_path, settings, root)
    assert done.returncode == 2 and key in done.stderr and "Traceback" not in done.stderr


def test_labels_are_learnable_but_not_from_composition_or_family_alone(proteome):
    rows = rows_of(proteome)
    figures = proteome.truth["solubility"]
    soluble = np.array([int(row["solubility"]) for row in rows])
    assert figures["soluble_fraction"] == pytest.approx(soluble.mean(), abs=1e-3)
    assert 0.4 < soluble.mean() < 0.6
    assert 0.85 < figures["oracle_auc"] < 0.97
    assert 0.55 < figures["composition_auc"] < 0.7
    lengths = np.array([len(row["sequence"]) for row in rows])
    by_length = [soluble[lengths == length].mean() for length in np.unique(lengths)]
    assert max(by_length) - min(by_length) < 0.5


def test_blocks_count_where_composition_is_the_same():
    """Four hydrophobic residues in a row, and the same residues spread out, by hand."""
    fold = compact(np.random.default_rng(0), 40, 60)
    land = landscape(np.random.default_rng(0), fold, CONTACT_CUTOFF)
    length = len(land.fields)
    together, apart = (np.full(length, AMINO_ACIDS.index("G")) for _ in range(2))
    together[10:18] = apart[2:34:4] = AMINO_ACIDS.index("W")
    values = solubility.features(land, np.stack([together, apart]))[:, 2]
    windows = np.array([[row[i : i + 7].mean() for i in range(length - 6)] for row in (together, apart)])
    expected = windows.std(1) / np.array([together.std(), apart.std()])
    np.testing.assert_allclose(values, expected)  # two letters: any scale of them gives the same
    assert values[0] > 2 * values[1]


def test_composition_auc_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    family = np.repeat(np.arange(5), 60)
    states = [rng.integers(0, 20, 80) for _ in family]
    counts = np.array([np.bincount(row, minlength=20) / len(row) for row in states])
    labels = (counts @ rng.standard_normal(20) * 20 + rng.standard_normal(300) > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    expected = cross_val_predict(model, counts, labels, groups=family, cv=GroupKFold(5), method="decision_function")
    ours = solubility.composition_auc(states, labels, family)
    assert ours == pytest.approx(roc_auc_score(labels, expected), abs=0.01)
