"""Planning: from the configuration to shards."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.identifiers import accession, file_entry, pdb_id
from foldgraft.fetch.inputs import label_shards, shard_digest, structure_shards
from foldgraft.fetch.label_settings import SolubilitySettings
from foldgraft.fetch.settings import FetchSettings, StructuresSettings


def structures(**values):
    return StructuresSettings.model_validate(values)


def test_planning_imports_nothing_heavy():
    heavy = ("pyarrow", "pandas", "httpx", "numpy")
    code = f"import sys, foldgraft.fetch.checks; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_source_has_its_shards(tmp_path):
    for name in ("b.cif.gz", "a.pdb", "c.ent.gz"):
        (tmp_path / name).touch()
    wanted = structures(
        files=["*"],
        rcsb={"ids": ["1UBQ", "pdb_00004hhb", "pdb_1000abcd"], "query": {"max_entries": 5}},
        alphafold={"accessions": ["p69905"]},
    )
    shards = structure_shards(wanted, FetchSettings(shard_size=2), tmp_path)
    assert {shard: [item.id for item in items] for shard, items in shards.items()} == {
        "files-00000": ["a", "b"],
        "files-00001": ["c"],
        "rcsb-00000": ["1ubq", "4hhb"],
        "rcsb-00001": ["pdb_1000abcd"],
        "alphafold-00000": ["AF-P69905-F1"],
        "query-00000": [],
        "query-00001": [],
        "query-00002": [],
    }


@given(count=st.integers(1, 60), size=st.integers(1, 20))
def test_an_id_added_at_the_end_changes_only_the_last_shard(count, size):
    ids = [f"{1 + k // 1000}{k % 1000:03d}" for k in range(count + 1)]
    before, after = (
        structure_shards(structures(rcsb={"ids": some}), FetchSettings(shard_size=size), None)
        for some in (ids[:-1], ids)
    )
    assert [item for items in after.values() for item in items][:-1] == [i for items in before.values() for i in items]
    changed = [shard for shard in after if shard_digest(after[shard]) != shard_digest(before.get(shard, []))]
    assert changed == [max(after)]


def test_a_limit_thins_the_files_evenly(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.cif").touch()
    shards = structure_shards(structures(files=["*.cif"], limit=4), FetchSettings(), tmp_path)
    assert [item.id for item in shards["files-00000"]] == ["0", "2", "5", "7"]


def test_a_pattern_may_go_down_into_folders_and_be_absolute(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "x.cif").touch()
    for pattern in ("**/*.cif", f"{tmp_path}/deep/*/*.cif"):
        shards = structure_shards(structures(files=[pattern]), FetchSettings(), tmp_path)
        assert shards["files-00000"][0].id == "x"


def test_the_digest_follows_size_and_time(tmp_path):
    path = tmp_path / "a.cif"
    path.write_text("one")
    os.utime(path, (1, 1))

    def digest():
        return shard_digest(structure_shards(structures(files=["*.cif"]), FetchSettings(), tmp_path)["files-00000"])

    first = digest()
    assert digest() == first
    os.utime(path, (2, 2))
    assert digest() != first
    os.utime(path, (1, 1))
    assert digest() == first
    path.write_text("other")
    os.utime(path, (1, 1))
    assert digest() != first


def test_an_empty_glob_is_an_error(tmp_path):
    with pytest.raises(FoldgraftError, match=r"structures\.files: '\*\.cif' matches no file below"):
        structure_shards(structures(files=["*.cif"]), FetchSettings(), tmp_path)


@pytest.mark.parametrize(("rows", "limit", "count"), [(5, None, 3), (4, None, 2), (5, 2, 1), (0, None, 0)])
def test_labels_are_counted(tmp_path, rows, limit, count):
    lines = ["id,sequence,label", *(f"p{k},MKV,1" for k in range(rows))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n\n")
    solubility = SolubilitySettings(table="t.csv", limit=limit)
    found = label_shards("solubility", solubility, FetchSettings(label_shard_size=2), [tmp_path / "t.csv"])
    assert found == [f"solubility-{number:05d}" for number in range(count)]


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("1ubq.cif.gz", "1ubq"),
        ("1ubq.CIF", "1ubq"),
        ("AF-P69905-F1-model_v6.mmcif", "AF-P69905-F1-model_v6"),
        ("pdb1ubq.ent.gz", "pdb1ubq"),
        ("1ubq.pdb1.gz", "1ubq"),
        ("1ubq.fitted.pdb", "1ubq.fitted"),
        ("noname", "noname"),
    ],
)
def test_the_entry_of_a_file(tmp_path, name, entry):
    assert file_entry(tmp_path / name) == entry


def test_identifiers_have_one_spelling():
    assert pdb_id("4HHB") == pdb_id("pdb_00004HHB") == "4hhb"
    assert pdb_id("PDB_1234ABCD") == "pdb_1234abcd"
    assert [pdb_id(text) for text in ("", "hhb4", "4hh", "4hhb_1", "../etc")] == [None] * 5
    assert accession("a0a024r1r8") == "A0A024R1R8"
    assert [accession(text) for text in ("", "P6990", "P69905-2", "P53_HUMAN")] == [None] * 4
