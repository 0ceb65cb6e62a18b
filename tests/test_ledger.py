"""Digests of inputs follow bytes, and read them only when sizes or times have changed."""

import os
import shutil

import pytest

from foldgraft import ledger as module
from foldgraft import plan
from foldgraft.fetch.command import structures
from foldgraft.fetch.settings import FetchSettings, Locations
from foldgraft.ledger import SMALL, Ledger


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.fasta"
    path.write_bytes(b">a\nMKV\n" * (SMALL // 4))
    return path


@pytest.fixture
def reads(monkeypatch):
    """The files whose bytes were read."""
    found = []
    real = module.file_sha256
    monkeypatch.setattr(module, "file_sha256", lambda path: found.append(path.name) or real(path))
    return found


def test_a_large_file_is_read_again_only_when_it_looks_different(large, reads, tmp_path):
    kept = tmp_path / "kept/ledger.json"
    first = Ledger(kept, keep=True).digest([large])
    assert Ledger(kept, keep=True).digest([large]) == first
    assert reads == ["large.fasta"]
    os.utime(large, ns=(1, 1))
    assert Ledger(kept, keep=True).digest([large]) == first
    assert len(reads) == 2
    large.write_bytes(large.read_bytes()[:-1] + b"\t")
    os.utime(large, ns=(1, 1))  # the same size and time of change; the inode's own time tells
    assert Ledger(kept, keep=True).digest([large]) != first


def test_names_count_as_well_as_bytes(large, tmp_path):
    other = tmp_path / "other.fasta"
    shutil.copy(large, other)
    assert Ledger().digest([large]) != Ledger().digest([other])
    assert Ledger().file(large) == Ledger().file(other)


def test_a_ledger_that_is_broken_or_may_not_be_written_costs_time_alone(large, tmp_path, monkeypatch):
    broken = tmp_path / "ledger.json"
    broken.write_text("{")
    assert Ledger(broken, keep=True).digest([large]) == Ledger().digest([large])

    def refused(path):
        raise PermissionError(13, "denied")

    monkeypatch.setattr(module, "atomic", refused)
    assert Ledger(tmp_path / "no/ledger.json", keep=True).digest([large]) == Ledger().digest([large])


def test_structures_that_are_touched_or_copied_keep_their_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        (tmp_path / f"e{number}.cif").write_text(f"data_{number}\n_entity_poly_seq.mon_id ALA\n")
    config = plan.configure({"run": "r", "structures": {"files": ["*.cif"]}, "fetch": {"shard_size": 2}}, check=True)

    def planned():
        return plan.make(config, Ledger(tmp_path / "ledger.json", keep=True)).structures

    before, lock = planned(), tmp_path / "results/r/fetch/structures/files-00000.parquet"
    os.utime(tmp_path / "e0.cif", ns=(1, 1))  # nothing was fetched yet, so that nothing is known of the bytes
    assert planned()["files-00000"] != before["files-00000"]
    before = planned()
    structures("files-00000", tmp_path / "store", lock, Locations(["e0.cif", "e1.cif"]), settings=FetchSettings())
    os.utime(tmp_path / "e0.cif", ns=(2, 2))
    os.utime(tmp_path / "e2.cif", ns=(2, 2))
    after = planned()
    assert after["files-00000"] == before["files-00000"]
    assert after["files-00001"] != before["files-00001"]  # its piece of the lock is not there
    (tmp_path / "e0.cif").write_text("data_7\n")
    assert planned()["files-00000"] != before["files-00000"]
