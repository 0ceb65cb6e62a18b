"""The plan: shards and digests, from the configuration and a listing alone."""

import os

import pytest

from foldgraft import plan
from foldgraft.errors import FoldgraftError
from foldgraft.fetch.store import Store
from foldgraft.ledger import Ledger
from foldgraft.records.lock import SCHEMA
from foldgraft.records.tables import row_writer

EXPERIMENT = {"experiments": {"s": {"task": "solubility"}}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "s").mkdir()
    for number in range(5):
        (tmp_path / f"s/e{number}.cif").write_text("data_x\n# ALA\n")
    (tmp_path / "labels.csv").write_text("id,sequence,y\na,MKV,1\nb,MKL,0\nc,MKW,0.5\n")
    return tmp_path


def configured(folder, **more):
    columns = {"id": "id", "sequence": "sequence", "label": "y"}
    values = {
        "data": str(folder),
        "structures": {"files": ["s/*.cif"]},
        "solubility": {"table": "labels.csv", "columns": columns},
        "fetch": {"shard_size": 2, "label_shard_size": 2},
        "cluster": {"folds": 3},
    }
    return plan.configure({**values, **more}, check=True)


def test_shards_are_named_and_counted(folder):
    made = plan.make(configured(folder))
    assert list(made.structures) == ["files-00000", "files-00001", "files-00002"]
    assert made.labels == {"solubility": ["solubility-00000", "solubility-00001"]}


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
    assert made.labels == {"solubility": ["solubility-00000"]}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"data": "/no/such/folder"}, "data"),
        ({**EXPERIMENT, "predict": {"sequences": {"new": "new.fasta"}}}, "predict.sequences.new"),
        ({"trunk": {"checkpoint": "esm2.pt"}}, "trunk.checkpoint"),
        ({"msa": {"alignments": {"files": ["*.a3m"]}}}, "a3m"),
    ],
)
def test_what_is_missing_is_named(folder, more, words):
    with pytest.raises(FoldgraftError, match=words):
        configured(folder, **more)


def test_a_changed_table_of_labels_leaves_the_sequences_alone_and_the_reverse(folder):
    (folder / "s.fasta").write_text(">a\nMKV\n")
    config = configured(folder, sequences={"files": ["*.fasta"]})
    before = plan.make(config)
    for name in ("labels.csv", "s.fasta"):
        os.utime(folder / name, ns=(1, 1))
    assert plan.make(config) == before  # their bytes are the same
    (folder / "labels.csv").write_text("id,sequence,y\na,MKV,0\nb,MKL,0\nc,MKW,0.5\n")
    after = plan.make(config)
    assert before.tables != after.tables and before.sequences == after.sequences
    (folder / "s.fasta").write_text(">a\nMKL\n")
    assert plan.make(config).sequences != after.sequences and plan.make(config).tables == after.tables


def test_sequences_may_be_named_by_an_absolute_pattern(folder):
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/s.fasta").write_text(">a\nMKV\n")
    made = [plan.make(configured(folder, sequences={"files": [f"{folder}/{end}"]})) for end in ("deep/**", "deep/*/*")]
    assert made[0].sequences == made[1].sequences != Ledger().digest([])


def test_a_synthetic_run_predicts_for_its_own_constructs_or_for_a_file_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"run": "mine", "synth": {}, **EXPERIMENT}
    own = {**values, "predict": {"sequences": {"c": "results/mine/synth/constructs.fasta"}}}
    assert plan.make(plan.configure(own, check=True)).predict.keys() == {"c"}
    other = {**values, "predict": {"sequences": {"c": "results/demo/synth/constructs.fasta"}}}
    with pytest.raises(FoldgraftError, match=r"predict\.sequences\.c.*results/mine/synth/constructs"):
        plan.configure(other, check=True)
    (tmp_path / "new.fasta").write_text(">a\nMKV\n")
    config = plan.configure({**values, "predict": {"sequences": {"c": "new.fasta"}}}, check=True)
    before = plan.make(config).predict
    (tmp_path / "new.fasta").write_text(">a\nMKL\n")
    assert plan.make(config).predict != before


def test_a_section_may_be_given_in_part(folder):
    config = configured(folder)
    assert plan.section(config, "fetch", include={"shard_size"}) == '{"shard_size":2}'
    assert plan.section(config, "sequences", include={"files"}) == "null"


def replayed(folder, shards, **more):
    """A configuration that replays a lock of these ids by shard, and the labelled table; no local file is there."""
    store = Store(folder / "store")
    sha256, _ = store.add([(folder / "labels.csv").read_bytes()])
    empty = dict.fromkeys(SCHEMA.names) | {"source": "files", "url": "x", "status": "stored", "sha256": sha256}
    with row_writer(folder / "lock.parquet", SCHEMA) as table:
        for shard, names in {**shards, "solubility": ["labels.csv"]}.items():
            for name in names:
                table.write(empty | {"shard": shard, "id": name, "url": f"s/{name}.cif" if name[0] == "e" else name})
    for path in (*folder.glob("s/*"), folder / "labels.csv"):
        path.unlink()
    return configured(folder, store=str(store.root), replay=str(folder / "lock.parquet"), **more)


def test_a_replay_is_planned_from_the_lock(folder):
    structures = {"files": ["s/*.cif"], "rcsb": {"ids": ["1abc", "2abc"], "query": {"max_entries": 3}}}
    before = plan.make(configured(folder, structures=structures))
    shards = {"files-00000": ["e0", "e1"], "files-00001": ["e2", "e3"], "files-00002": ["e4"]}
    shards |= {"rcsb-00000": ["1abc", "2abc", "3abc"], "search": ["search"]}
    made = plan.make(replayed(folder, shards, structures=structures))
    assert list(made.structures) == list(before.structures)
    assert made.labels == before.labels == {"solubility": ["solubility-00000", "solubility-00001"]}


def test_a_replay_lacks_no_entry_that_the_configuration_names(folder):
    config = replayed(folder, {"rcsb-00000": ["1abc"]}, structures={"rcsb": {"ids": ["1abc", "2abc"]}})
    with pytest.raises(FoldgraftError, match=r"lock.parquet has no 2abc in the shard rcsb-00000"):
        plan.make(config)


@pytest.mark.parametrize(
    ("shards", "files", "message"),
    [
        ({"files-00000": ["e0"]}, ["other/*.cif"], r"lock.parquet has s/e0.cif, which structures.files does not name"),
        ({"search": ["search"]}, ["s/*.cif"], r"lock.parquet has none of the files that structures.files names"),
    ],
)
def test_a_replay_of_other_files_is_refused(folder, shards, files, message):
    with pytest.raises(FoldgraftError, match=message):
        plan.make(replayed(folder, shards, structures={"files": files}))


def test_a_replay_needs_no_folder_of_data(folder):
    config = replayed(folder, {"files-00000": ["e0"]}, structures={"files": ["s/*.cif"]})
    plan.check_inputs(config.model_copy(update={"data": str(folder / "moved")}))


def test_the_reason_of_a_failed_job_is_found(tmp_path):
    (tmp_path / "job.log").write_text("step 1\nerror: labels.csv, row 3: no label\nwrite 0 or 1\n")
    (tmp_path / "other.log").write_text("".join(f"line {k}\n" for k in range(50)))
    told = "    log: {} (check log file(s) for error details)\n"
    names = [tmp_path / "job.log", tmp_path / "job.log", tmp_path / "other.log", tmp_path / "gone.log"]
    (tmp_path / "snakemake.log").write_text("Error in rule x:\n" + "".join(map(told.format, names)))
    lines = list(plan.reasons([str(tmp_path / "snakemake.log")], tmp_path, 0))
    assert lines[:3] == [f"\n{names[0]} ends with", "    error: labels.csv, row 3: no label", "    write 0 or 1"]
    assert lines[3:5] == [f"\n{names[2]} ends with", "    line 40"] and lines[-1] == "    line 49"


def test_what_a_cluster_says_of_a_job_that_it_killed_is_shown_beside_the_jobs_own_log(tmp_path):
    (tmp_path / "job.log").write_text("step 1\n")
    killed = "slurmstepd: error: *** JOB 7 ON gpu01 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***"
    (tmp_path / "7.log").write_text(f"Building DAG of jobs...\n{killed}\n")
    told = f"    log: {tmp_path}/job.log, {tmp_path}/7.log (check log file(s) for error details)\n"
    (tmp_path / "snakemake.log").write_text(told)
    lines = list(plan.reasons([str(tmp_path / "snakemake.log")], tmp_path, 0))
    expected = [f"\n{tmp_path}/job.log ends with", "    step 1", f"\n{tmp_path}/7.log ends with", f"    {killed}"]
    assert lines == expected


def test_where_snakemake_was_quiet_logs_of_this_run_that_tell_of_an_error_are_found(tmp_path):
    (tmp_path / "old.log").write_text("error: long ago\n")
    os.utime(tmp_path / "old.log", (1, 1))
    (tmp_path / "well.log").write_text("step 1\n")
    (tmp_path / "mended.log").write_text("error: before\n--- again, 2026-01-01\nstep 1\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/job.log").write_text("error: before\n--- again, 2026-01-01\nstep 1\nerror: now\n")
    assert list(plan.reasons([], tmp_path, 2)) == [f"\n{tmp_path}/a/job.log ends with", "    error: now"]
