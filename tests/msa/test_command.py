"""Database, search and coevolution, one after the other, as the rules call them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import parse_a3m
from foldgraft.evolution.columns import INSERTION
from foldgraft.evolution.settings import CoevolutionSettings
from foldgraft.msa.command import app
from foldgraft.msa.search import check_database, is_empty
from foldgraft.msa.settings import MsaSettings
from foldgraft.records.alignments import ALIGNMENTS, COEVOLUTION, read_queries
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import read_json
from foldgraft.records.tables import read_rows


def call(*arguments):
    CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def run(tmp_path, family, queried):
    """Runs the three commands on chains, and returns the rows of both tables by id."""
    ancestor, members = family
    write_fasta(tmp_path / "sequences.fasta.gz", [("itself", ancestor), *((f"m{k}", m) for k, m in enumerate(members))])

    def go(chains: dict[str, str], settings: MsaSettings):
        database, tables = tmp_path / "db" / "sequences", (tmp_path / "a.parquet", tmp_path / "c.parquet")
        made = ("--database", database, "--done", tmp_path / "done.json")
        call("database", "--sequences", tmp_path / "sequences.fasta.gz", *made)
        given = ("--settings", settings.model_dump_json())
        inputs = (*queried(chains), "--database", database, "--data", tmp_path)
        call("search", *inputs, "--alignments", tables[0], *given)
        call("coevolution", "--alignments", tables[0], "--coevolution", tables[1], *given)
        return [
            {row["id"]: row for row in read_rows(path, schema)}
            for path, schema in zip(tables, (ALIGNMENTS, COEVOLUTION), strict=True)
        ]

    return go


def test_homologs_are_found_and_the_query_comes_once(run, family, tmp_path):
    ancestor, members = family
    alignments, coevolution = run({"a": ancestor, "peptide": "ACDEF", "alone": "W" * 30}, MsaSettings())
    assert set(alignments) == set(coevolution) == {"a", "peptide", "alone"}
    row = alignments["a"]
    rows = parse_a3m(row["a3m"])
    assert rows[0].text == ancestor
    assert {r.name for r in rows} == {"query", *(f"m{k}" for k in range(len(members)))}
    assert row["depth"] == len(rows) == len(members) + 1
    assert 1 < row["neff"] <= row["depth"]
    assert all(len(r.text.translate(INSERTION)) == len(ancestor) for r in rows)
    assert all(r.text.replace("-", "").upper() in members[int(r.name[1:])] for r in rows[1:])
    assert any(r.text != r.text.upper() for r in rows)
    assert row["source"] == "search"
    assert len(coevolution["a"]["scores"]) == 150 * 149 // 2 and any(coevolution["a"]["scores"])
    for name, length in (("peptide", 5), ("alone", 30)):
        assert alignments[name]["depth"] == 1 and alignments[name]["neff"] == 1
        assert coevolution[name]["scores"] == [0] * (length * (length - 1) // 2)
    assert read_json(tmp_path / "done.json")["mmseqs"]
    assert {path.suffix for path in tmp_path.glob(".*")} == {".sha256"}


def test_a_sequence_is_aligned_once_whichever_shards_hold_it(run, family, queried, tmp_path):
    ancestor, members = family
    chains = {"a": ancestor, "twin": ancestor, "b": members[0], "again": ancestor, "c": members[1]}
    later = dict.fromkeys(("again", "c"), "files-00001")
    queried(chains, shards=later)
    table = tmp_path / "queries.parquet"
    assert list(read_queries(table, "files-00000")["id"]) == ["a", "b"]
    assert list(read_queries(table, "files-00001")["id"]) == ["c"]
    digests = read_json(tmp_path / "queries.json")
    queried(
        {**chains, "d": members[2], "late": members[0]}, shards={**later, "d": "files-00001", "late": "files-00001"}
    )
    added = read_json(tmp_path / "queries.json")
    assert added["files-00000"] == digests["files-00000"] and added["files-00001"] != digests["files-00001"]
    alignments, coevolution = run({"a": ancestor, "twin": ancestor}, MsaSettings())
    assert set(alignments) == set(coevolution) == {"a"}


def test_rows_and_their_number_are_bounded(run, family):
    ancestor, _ = family
    alignments, _ = run({"a": ancestor}, MsaSettings(max_sequences=7))
    assert alignments["a"]["depth"] == 7
    alignments, _ = run({"a": ancestor + "".join(reversed(ancestor)) * 2}, MsaSettings(min_coverage=0.9))
    assert alignments["a"]["depth"] == 1


def test_a_prepared_database_gives_what_the_runs_own_does(run, family, tmp_path, queried):
    ancestor, members = family
    own, _ = run({"a": ancestor}, MsaSettings())
    named = {"itself": ancestor} | {f"m{k}": member for k, member in enumerate(members)}
    database = mmseqs.database(named, tmp_path / "prepared")
    table = tmp_path / "prepared.parquet"
    call("search", *queried({"a": ancestor}), "--database", database, "--alignments", table)
    (row,) = read_rows(table, ALIGNMENTS)
    assert sorted(row["a3m"].split()) == sorted(own["a"]["a3m"].split())


def test_what_each_filter_dropped_is_told(run, family):
    ancestor, _ = family
    alignments, _ = run({"a": ancestor}, MsaSettings(max_identity=0.45, min_identity=0.5))
    row = alignments["a"]
    dropped = sum(row[reason] for reason in ("repeated", "short", "distant", "alike", "surplus"))
    assert row["depth"] == 1 + row["found"] - dropped
    assert row["alike"] > 0 and row["repeated"] >= 1  # the database holds the query itself


def test_too_long_an_alignment_is_not_scored(run, family):
    _, coevolution = run({"a": family[0]}, MsaSettings(coevolution=CoevolutionSettings(max_length=100)))
    assert not any(coevolution["a"]["scores"])


def test_no_sequences_to_search_leave_the_given_alignments(tmp_path, queried):
    (tmp_path / "sequences.fasta.gz").write_bytes(b"")
    database = tmp_path / "sequences"
    call("database", "--sequences", tmp_path / "sequences.fasta.gz", "--database", database, "--done", tmp_path / "d")
    call(
        "search",
        *queried({"a": "ACDEFGHIKLMNPQRST"}),
        "--database",
        database,
        "--alignments",
        tmp_path / "a",
    )
    assert next(read_rows(tmp_path / "a", ALIGNMENTS))["depth"] == 1


def test_a_missing_database_is_named(tmp_path, queried):
    with pytest.raises(FoldgraftError, match="foldgraft msa database"):
        call(
            "search",
            *queried({"a": "AC"}),
            "--database",
            tmp_path / "no",
            "--alignments",
            tmp_path / "a",
        )


@pytest.mark.parametrize("name", ["sequences", "sequences.index", "sequences_h", "sequences.dbtype"])
def test_a_damaged_database_is_refused(name, family, tmp_path, queried):
    sequences, database = tmp_path / "sequences.fasta.gz", tmp_path / "db" / "sequences"
    write_fasta(sequences, [(f"h{k}", member) for k, member in enumerate(family[1])])
    call("database", "--sequences", sequences, "--database", database, "--done", tmp_path / "done.json")
    damaged = bytearray(database.with_name(name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    database.with_name(name).write_bytes(damaged)
    chains = queried({"a": family[0]})
    with pytest.raises(FoldgraftError, match=f"its file {name} was damaged"):
        call("search", *chains, "--database", database, "--alignments", tmp_path / "x")


def test_a_truncated_file_of_sequences_makes_no_database(tmp_path, family):
    """Its own reader would take what is left of it."""
    path = tmp_path / "sequences.fasta.gz"
    write_fasta(path, [(f"h{k}", member) for k, member in enumerate(family[1])])
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FoldgraftError, match=r"sequences\.fasta\.gz: "):
        call("database", "--sequences", path, "--database", tmp_path / "db", "--done", tmp_path / "done.json")


def test_a_database_made_anew_keeps_nothing_of_the_earlier_one(tmp_path, family):
    path, database = tmp_path / "sequences.fasta.gz", tmp_path / "db" / "sequences"
    words = ("--database", database, "--done", tmp_path / "db" / "done.json")
    write_fasta(path, [(f"h{k}", member) for k, member in enumerate(family[1])])
    call("database", "--sequences", path, *words)
    database.unlink()  # as Snakemake does, which knows no other file of it
    call("database", *words)
    assert is_empty(database) and not database.with_name("sequences_h").exists()
    check_database(database)


def test_of_a_database_of_clusters_the_members_are_aligned(tmp_path, family, queried):
    """Made as ColabFold's databases are: representatives, all sequences, and the clusters' alignments."""
    ancestor, members = family
    rng = np.random.default_rng(3)
    known = {}
    for k, member in enumerate(members[:6]):
        for copy in range(4):
            letters = np.array(list(member))
            hit = rng.random(len(letters)) < 0.12 * (copy > 0)
            letters[hit] = rng.choice(list("ACDEFGHIKL"), hit.sum())
            known[f"m{k}.{copy}"] = "".join(letters)
    every, clusters, database = mmseqs.database(known, tmp_path / "db_seq"), tmp_path / "clusters", tmp_path / "db"
    mmseqs.run("linclust", every, clusters, tmp_path / "t", "--min-seq-id", 0.7, "-c", 0.8, "--threads", 1)
    mmseqs.run("createsubdb", clusters, every, database)
    representatives = (tmp_path / "db.index").read_text().count("\n")
    table = tmp_path / "a"

    def depth():
        call("search", *queried({"a": ancestor}), "--database", database, "--alignments", table)
        return next(read_rows(table, ALIGNMENTS))["depth"]

    assert depth() == 1 + representatives < 1 + len(known)
    mmseqs.run("align", every, every, clusters, tmp_path / "db_aln", "-a", "--threads", 1)
    assert depth() == 1 + len(known)
