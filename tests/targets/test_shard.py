"""The command of the stage: files in, files out."""

import csv
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import SCHEMA as CHAINS
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import read_contacts, read_targets
from foldgraft.targets.chain import chain_targets
from foldgraft.targets.masks import COLUMNS
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.shard import write_shard


@pytest.fixture(scope="module")
def chains(peptide, make_chain):
    rng = np.random.default_rng(3)
    sequences = ["MKTAYIAKQRGW", "G", "AC", "PLVNDERHSF" * 9]
    built = []
    for number, sequence in enumerate(sequences):
        coordinates = peptide(sequence, rng.uniform(-179, 179, (len(sequence), 7)))
        coordinates[rng.random(len(sequence)) < 0.1] = np.nan
        built.append(make_chain(coordinates, sequence, f"1abc_{number}"))
    return built


def written(folder, chains):
    path = folder / "chains.parquet"
    with row_writer(path, CHAINS) as writer:
        for chain in chains:
            writer.write(chain.row())
    return path


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "foldgraft", *map(str, arguments)], capture_output=True, text=True)


def test_the_command_writes_what_the_functions_return(chains, tmp_path):
    path = written(tmp_path, chains)
    out, audit = tmp_path / "targets.parquet", tmp_path / "audit.csv"
    done = run("targets", "shard", "--chains", path, "--targets", out, "--audit", audit, "--settings", "{}")
    assert done.returncode == 0, done.stderr
    found = list(read_targets(out))
    assert [targets.id for targets in found] == [chain.id for chain in chains]
    rows = []
    for chain, read in zip(chains, found, strict=True):
        expected, counts = chain_targets(chain, TargetsSettings())
        rows += [[str(value) for value in row] for row in counts]
        for name, value in vars(expected).items():
            np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)
    with audit.open(newline="") as handle:
        assert list(csv.reader(handle)) == [COLUMNS, *rows]
    for read, contacts in zip(found, read_contacts(out), strict=True):
        np.testing.assert_array_equal(read.contacts, contacts.contacts)
        np.testing.assert_array_equal(read.pair_mask, contacts.pair_mask)


def test_the_same_chains_give_the_same_bytes(chains, tmp_path):
    path = written(tmp_path, chains)
    for name in "ab":
        write_shard(path, tmp_path / name / "files-00000.parquet", tmp_path / f"{name}.csv", TargetsSettings())
    one, other = (tmp_path / name / "files-00000.parquet" for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_an_empty_shard_gives_empty_tables(tmp_path):
    out, audit = tmp_path / "targets.parquet", tmp_path / "audit.csv"
    assert write_shard(written(tmp_path, []), out, audit, TargetsSettings()) == 0
    assert list(read_targets(out)) == []
    assert audit.read_text() == ",".join(COLUMNS) + "\n"


def test_a_broken_shard_leaves_no_output(tmp_path):
    path = tmp_path / "chains.parquet"
    path.write_bytes(b"PAR1 but not for long")
    with pytest.raises(FoldgraftError, match="cannot be read as a parquet table"):
        write_shard(path, tmp_path / "targets.parquet", tmp_path / "audit.csv", TargetsSettings())
    assert [entry.name for entry in tmp_path.iterdir()] == ["chains.parquet"]


@pytest.mark.parametrize("settings", ['{"max_peptide_bond": 9}', '{"bond": 2}', "{"])
def test_bad_settings_are_one_line(settings, tmp_path):
    paths = [argument for name in ("chains", "targets", "audit") for argument in (f"--{name}", tmp_path / name)]
    done = run("targets", "shard", *paths, "--settings", settings)
    assert done.returncode == 2
    assert "--settings" in done.stderr
    assert "Traceback" not in done.stderr


def test_targets_of_few_chains_are_held_at_once(peptide, make_chain, tmp_path):
    sequence = "PLVNDERHSF" * 15
    coordinates = peptide(sequence, np.random.default_rng(0).uniform(-179, 179, (len(sequence), 7)))
    peaks = []
    for count in (8, 32):
        path = written(tmp_path, [make_chain(coordinates, sequence, f"1abc_{number}") for number in range(count)])
        tracemalloc.start()
        write_shard(path, tmp_path / "t.parquet", tmp_path / "a.csv", TargetsSettings(orientations=True))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
