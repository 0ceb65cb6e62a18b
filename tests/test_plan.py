"""The plan: shards and digests, from the configuration and a listing alone."""

import os

import pytest

from foldgraft import plan
from foldgraft.errors import FoldgraftError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "s").mkdir()
    for number in range(5):
        (tmp_path / f"s/e{number}.cif").write_text("data_x\n")
    (tmp_path / "labels.csv").write_text("id,sequence,y\na,MKV,1\nb,MKL,0\nc,MKW,0.5\n")
    return tmp_path


def configured(folder, **more):
    columns = {"id": "id", "sequence": "sequence", "label": "y"}
    values = {
        "data": str(folder),
        "structures": {"files": ["s/*.cif"]},
        "solubility": {"table": "labels.csv", "columns": columns},
        "fetch": {"shard_size": 2, "label_shard_size": 2},
    }
    return plan.configure({**values, **more}, check=True)


def test_shards_are_named_and_counted(folder):
    made = plan.make(configured(folder))
    assert list(made.structures) == ["files-00000", "files-00001", "files-00002"]
    assert made.labels == ["labels-00000", "labels-00001"]


def test_a_file_added_at_the_end_changes_the_last_shard_alone(folder):
    before = plan.make(configured(folder)).structures
    (folder / "s/e9.cif").write_text("data_y\n")
    after = plan.make(configured(folder)).structures
    assert [name for name in before if before[name] != after[name]] == ["files-00002"]


def test_a_changed_file_changes_its_shard_alone(folder):
    before = plan.make(configured(folder)).structures
    os.utime(folder / "s/e0.cif", ns=(1, 1))
    after = plan.make(configured(folder)).structures
    assert [name for name in before if before[name] != after[name]] == ["files-00000"]


def test_a_synthetic_proteome_is_planned_before_it_is_made():
    config = plan.configure({"synth": {"families": 4, "structures_per_family": 2, "labels": 30}}, check=True)
    made = plan.make(config)
    assert list(made.structures) == ["files-00000"]
    assert made.labels == ["labels-00000"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"data": "/no/such/folder"}, "data"),
        ({"predict": {"sequences": {"new": "new.fasta"}}}, "predict.sequences.new"),
        ({"trunk": {"checkpoint": "esm2.pt"}}, "trunk.checkpoint"),
        ({"msa": {"alignments": {"files": ["*.a3m"]}}}, "a3m"),
    ],
)
def test_what_is_missing_is_named(folder, more, words):
    with pytest.raises(FoldgraftError, match=words):
        configured(folder, **more)
