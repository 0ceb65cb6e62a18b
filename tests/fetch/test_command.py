"""The commands, run as the workflow runs them."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import foldgraft
from foldgraft.records import labels as label_records
from foldgraft.records import lock as lock_records
from foldgraft.records.lock import store_path
from foldgraft.records.tables import read_frame, read_rows

SOURCE = {"PYTHONPATH": str(Path(foldgraft.__file__).parents[1])}


@pytest.fixture
def fetch(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "foldgraft", "fetch", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | SOURCE)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def test_local_structures_become_a_lock(tmp_path, fetch):
    (tmp_path / "in").mkdir()
    bodies = {"a": gzip.compress(b"data_a\n", mtime=0), "b": b"data_b\n", "c": b"x" * 1_000_001}
    for name, body in bodies.items():
        (tmp_path / "in" / f"{name}.cif").write_bytes(body)
    settings = json.dumps({"max_file_mb": 1})
    for shard, locations in (("files-00000", ["in/a.cif", "in/b.cif"]), ("files-00001", ["in/c.cif"])):
        done = fetch(
            *("structures", "--shard", shard, "--locations", json.dumps(locations), "--data", "in"),
            *("--store", "store", "--lock", f"{shard}.parquet", "--settings", settings),
        )
        assert done.returncode == 0, done.stderr
    pieces = ("--piece", "files-00000.parquet", "--piece", "files-00001.parquet")
    (tmp_path / "in/labels.csv").write_text("id,sequence,label\n")
    table = ("--table", "solubility=in/labels.csv", "--data", "in", "--store", "store")
    assert fetch("lock", *pieces, *table, "--lock", "all.parquet").returncode == 0
    rows = list(read_rows(tmp_path / "all.parquet", lock_records.SCHEMA))
    assert [(row["source"], row["id"], row["url"], row["status"]) for row in rows] == [
        ("files", "a", "a.cif", "stored"),
        ("files", "b", "b.cif", "stored"),
        ("files", "c", "c.cif", "rejected"),
        ("files", "labels.csv", "labels.csv", "stored"),
    ]
    assert store_path(tmp_path / "store", rows[3]["sha256"]).read_bytes() == b"id,sequence,label\n"
    assert "larger than" in rows[2]["reason"]
    for row in rows[:2]:
        assert store_path(tmp_path / "store", row["sha256"]).read_bytes() == bodies[row["id"]]


def test_a_long_list_of_ids_comes_in_a_file(tmp_path, fetch):
    names = [f"{number}{letters}" for number in range(1, 10) for letters in ("abc", "abd", "abe")] * 1500
    (tmp_path / "locations.json").write_text(json.dumps(names))
    (tmp_path / "ids.txt").write_text("")
    options = ("--shard", "query-00000", "--search", "ids.txt", "--store", "store", "--lock", "l.parquet")
    assert fetch("structures", "--locations", "@locations.json", *options).returncode == 0
    done = fetch("structures", "--locations", "@nowhere.json", *options)
    assert done.returncode == 2 and "nowhere.json cannot be read" in done.stderr


def test_a_network_that_is_down_is_an_error_and_no_reject(tmp_path, fetch, settings_for):
    settings = settings_for("http://localhost:9", retries=0).model_dump_json()
    options = ("--store", "store", "--lock", "l.parquet", "--settings", settings)
    done = fetch("structures", "--shard", "rcsb-00000", "--locations", '["1abc", "2abc"]', *options)
    assert done.returncode == 2 and "no server answered" in done.stderr
    (tmp_path / "s.fasta").write_text(">a\nMKV\n")
    sequences = '{"files": ["s.fasta"], "uniprot": {"accessions": ["P69905"]}}'
    done = fetch("sequences", "--sequences", sequences, "--fasta", "f.fasta.gz", *options)
    assert done.returncode == 2 and "no server answered" in done.stderr
    assert not (tmp_path / "l.parquet").exists()


def test_a_search_shard_takes_its_part_of_the_ids(tmp_path, fetch, httpserver, cif, settings_for):
    for entry in ("1abc", "2abc", "3abc"):
        httpserver.expect_request(f"/download/{entry}.cif.gz").respond_with_data(cif(entry.upper()))
    (tmp_path / "ids.txt").write_text("1abc\n2abc\n3abc\n")
    settings = settings_for(httpserver.url_for("").rstrip("/"), shard_size=2)
    for number, expected in enumerate((["1abc", "2abc"], ["3abc"], [])):
        done = fetch(
            *("structures", "--shard", f"query-{number:05d}", "--search", "ids.txt"),
            *("--store", "store", "--lock", "l.parquet"),
            *("--settings", settings.model_dump_json()),
        )
        assert done.returncode == 0, done.stderr
        rows = read_frame(tmp_path / "l.parquet", lock_records.SCHEMA)
        assert rows["id"].tolist() == expected
        assert (rows["status"] == "stored").all()


def test_labels_are_cut_into_shards(tmp_path, fetch):
    lines = ["id,sequence,label,fold", *(f"p{k},MK{'V' * (k + 1)},{k % 2},{k % 3}" for k in range(5))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    solubility = json.dumps({"table": "t.csv", "columns": {"fold": "fold"}})
    found = []
    for shard in ("solubility-00000", "solubility-00001"):
        done = fetch(
            *(
                "labels",
                "--shard",
                shard,
                "--table",
                solubility,
                "--labels",
                "l.parquet",
                "--rejects",
                "r.csv",
                "--store",
                "store",
            ),
            *("--settings", '{"label_shard_size": 3}'),
        )
        assert done.returncode == 0, done.stderr
        found += read_frame(tmp_path / "l.parquet", label_records.SCHEMA)[["id", "label", "fold"]].values.tolist()
    assert found == [["p0", 0, 0], ["p1", 1, 1], ["p2", 0, 2], ["p3", 1, 0], ["p4", 0, 1]]


def test_a_store_that_cannot_be_written_is_one_line(tmp_path, fetch):
    (tmp_path / "a.cif").touch()
    (tmp_path / "store").touch()
    done = fetch(
        *("structures", "--shard", "files-00000", "--locations", '["a.cif"]'),
        *("--store", "store", "--lock", "l.parquet"),
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: the store store cannot be written or read: ")


@pytest.fixture
def locked(tmp_path, fetch):
    """A run of two files and a table, its whole lock at first.parquet; returns the options of its commands."""
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.cif").write_text(f"data_{name}\n")
    (tmp_path / "in/t.tsv").write_text("id\tsequence\tlabel\np\tMKV\t1\n")
    locations = '["in/a.cif", "in/b.cif"]'
    structures = ("structures", "--shard", "files-00000", "--locations", locations, "--data", "in")
    labels = ("labels", "--shard", "solubility-00000", "--table", '{"table": "t.tsv"}', "--data", "in")
    labels += ("--rejects", "r.csv")
    lock = (
        "lock",
        "--piece",
        "first-piece.parquet",
        "--table",
        "solubility=in/t.tsv",
        "--data",
        "in",
        "--store",
        "store",
    )
    for command in (
        (*structures, "--store", "store", "--lock", "first-piece.parquet"),
        (*labels, "--store", "store", "--labels", "first-labels.parquet"),
        (*lock, "--lock", "first.parquet"),
    ):
        done = fetch(*command)
        assert done.returncode == 0, done.stderr
    return structures, labels, lock


def test_every_command_replays_without_the_files(tmp_path, fetch, locked):
    structures, labels, lock = locked
    (tmp_path / "in").rename(tmp_path / "moved")
    again = ("--replay", "first.parquet")
    assert fetch(*structures, "--store", "store", "--lock", "piece.parquet", *again).returncode == 0
    assert fetch(*labels, "--store", "store", "--labels", "labels.parquet", *again).returncode == 0
    assert fetch(*lock, "--lock", "second.parquet", *again).returncode == 0
    for name, earlier in (("piece", "first-piece"), ("labels", "first-labels"), ("second", "first")):
        made, before = (pq.read_table(tmp_path / f"{one}.parquet") for one in (name, earlier))
        assert made.equals(before)


def test_a_replay_of_another_configuration_is_refused(tmp_path, fetch, locked):
    done = fetch("lock", "--store", "store", "--lock", "second.parquet", "--replay", "first.parquet")
    assert done.returncode == 2
    assert "replay: first.parquet is the lock of a run with another configuration, or was edited" in done.stderr
    assert not (tmp_path / "second.parquet").exists()


def test_a_store_is_verified_and_a_replay_stops_at_damage(tmp_path, fetch, locked):
    good = fetch("verify", "--lock", "first.parquet", "--store", "store")
    assert (good.returncode, good.stdout) == (0, "3 files of first.parquet are in store, undamaged\n")
    first, second, _ = read_rows(tmp_path / "first.parquet", lock_records.SCHEMA)
    store_path(tmp_path / "store", first["sha256"]).unlink()
    store_path(tmp_path / "store", second["sha256"]).write_text("rotten")
    bad = fetch("verify", "--lock", "first.parquet", "--store", "store")
    assert bad.returncode == 2
    assert f"replay: a: the store store lacks its file {first['sha256']}" in bad.stderr
    assert f"replay: b: its file {second['sha256']} in the store store was damaged" in bad.stderr
    stopped = fetch(*locked[0], "--store", "store", "--lock", "piece.parquet", "--replay", "first.parquet")
    assert stopped.returncode == 2 and "replay: a: the store store lacks" in stopped.stderr
    assert not (tmp_path / "piece.parquet").exists()


@pytest.mark.parametrize(
    ("shard", "locations", "message"),
    [
        ("rcsb-00000", '["1abc", "../x"]', "'../x' is no PDB id"),
        ("alphafold-00000", '["P69905", "nobody"]', "'nobody' is no UniProt accession"),
        ("elsewhere-00000", "[]", "'elsewhere-00000' is no shard"),
        ("rcsb-00000", "1abc", "--locations: it is no JSON"),
    ],
)
def test_a_place_that_is_none_stops_before_anything_is_asked(fetch, shard, locations, message):
    done = fetch("structures", "--shard", shard, "--locations", locations, "--store", "store", "--lock", "l.parquet")
    assert done.returncode == 2 and message in done.stderr
