"""A shard of good and bad files: each ends as chains or as rejects with a reason."""

import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest

from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.shard import ShardOutputs, curate_shard
from foldgraft.curate.structure_file import curate_file
from foldgraft.curate.summary import SummaryOutputs, summarise
from foldgraft.errors import FoldgraftError
from foldgraft.records import index as index_records
from foldgraft.records import lock as lock_records
from foldgraft.records import sifts as sifts_records
from foldgraft.records.chains import read_chains
from foldgraft.records.lock import store_path
from foldgraft.records.rejects import read_rejects
from foldgraft.records.sifts import Segment
from foldgraft.records.tables import read_frame, write_frame
from foldgraft.residues import ONE_TO_THREE

SEQUENCE = "MKVLAAGIVGMKVLAAGIVGWW"
SEQRES = {"1": [ONE_TO_THREE[one] for one in SEQUENCE]}


def outputs(folder, shard="s"):
    """Where the tables of a shard go."""
    return ShardOutputs(folder / f"{shard}.parquet", folder / f"{shard}.csv", folder / f"{shard}.atoms.csv")


def summary(folder):
    """Where the tables of all shards go."""
    return SummaryOutputs(folder / "index.parquet", folder / "rejects.csv", folder / "atoms.csv")


@pytest.fixture
def stored(tmp_path):
    """Put files into a store; returns the path of their lock."""

    def put(files, name="files-00000"):
        rows = []
        for entry, content in files.items():
            digest = hashlib.sha256(content or b"").hexdigest()
            empty = dict.fromkeys(lock_records.SCHEMA.names)
            row = empty | {"source": "files", "id": entry, "shard": name, "url": entry}
            if content is None:
                rows.append(row | {"status": "rejected", "reason": "HTTP 404"})
                continue
            path = store_path(tmp_path / "store", digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            rows.append(row | {"status": "stored", "sha256": digest, "bytes": len(content)})
        lock = tmp_path / f"{name}.lock.parquet"
        write_frame(lock, pd.DataFrame(rows, columns=lock_records.SCHEMA.names), lock_records.SCHEMA)
        return lock

    return put


@pytest.fixture
def curate(tmp_path, stored):
    def run(files, **settings):
        out = outputs(tmp_path)
        curate_shard(stored(files), tmp_path / "store", out, CurateSettings.model_validate(settings))
        rejects = {row.id: (row.rule, row.value, row.reason) for row in read_rejects(out.rejects).itertuples()}
        return {chain.id: chain for chain in read_chains(out.chains)}, rejects

    return run


def test_every_file_ends_as_chains_or_rejects(make, curate):
    good = make.mmcif(make.chain(SEQUENCE), SEQRES)
    chains, rejects = curate(
        {
            "good": good,
            "packed": gzip.compress(good),
            "legacy": make.pdb(make.chain(SEQUENCE)),
            "cut": gzip.compress(good)[:-20],
            "torn": good[: len(good) // 2],
            "page": b"<html>Service Unavailable</html>",
            "empty": b"",
            "dna": make.mmcif([make.atom("P", "DA", 1)], {"1": ["DA"]}, types={"1": "polydeoxyribonucleotide"}),
            "missing": None,
            "unknown": make.mmcif([a for k in range(1, 31) for a in make.backbone("UNK", k)], {"1": ["UNK"] * 30}),
        }
    )
    assert set(chains) == {"good_A", "packed_A", "legacy_A"}
    assert {entry: rule for entry, (rule, _, _) in rejects.items()} == {
        "cut": "gzip",
        "torn": "syntax",
        "page": "not_a_structure",
        "empty": "empty",
        "dna": "no_protein",
        "missing": "fetch",
        "unknown_A": "unknown",
    }
    assert rejects["missing"][2] == "HTTP 404"
    np.testing.assert_array_equal(chains["good_A"].coordinates, chains["packed_A"].coordinates)


def test_a_damaged_or_missing_store_file_is_a_reject(make, stored, tmp_path):
    good = make.mmcif(make.chain(SEQUENCE), SEQRES)
    stored({"a": good})
    digest = hashlib.sha256(good).hexdigest()
    path = store_path(tmp_path / "store", digest)
    row = {"id": "a", "source": "files", "sha256": digest}
    path.write_bytes(good + b" ")
    assert [reject.rule for reject in curate_file(path, row, CurateSettings()).rejects] == ["store"]
    path.unlink()
    assert [reject.rule for reject in curate_file(path, row, CurateSettings()).rejects] == ["store"]


def test_a_gzip_bomb_is_a_reject(curate):
    bomb = gzip.compress(b"data_x\n" + b"#" * 3_000_000)
    _, rejects = curate({"bomb": bomb}, max_decompressed_mb=1)
    assert rejects["bomb"][:2] == ("too_large", ">1000000")


EXTRA = """_exptl.method 'SOLUTION NMR'
_pdbx_audit_revision_history.ordinal 1
_pdbx_audit_revision_history.revision_date 2015-06-01
#"""


@pytest.mark.parametrize(
    ("settings", "reject"),
    [
        ({}, None),
        ({"methods": ["solution nmr"]}, None),
        ({"methods": ["X-RAY DIFFRACTION"]}, ("x", "methods", "SOLUTION NMR")),
        ({"max_resolution": 2.0}, ("x", "max_resolution", "")),
        ({"released_before": "2015-06-02"}, None),
        ({"released_before": "2015-06-01"}, ("x", "released_before", "2015-06-01")),
        ({"released_after": "2015-06-01"}, None),
        ({"released_after": "2015-06-02"}, ("x", "released_after", "2015-06-01")),
        ({"min_length": 22}, None),
        ({"min_length": 23}, ("x_A", "min_length", "22")),
        ({"min_length": 1, "max_length": 21}, ("x_A", "max_length", "22")),
        ({"min_resolved": 0.5}, None),
        ({"min_resolved": 0.51}, ("x_A", "min_resolved", "0.500")),
        ({"min_plddt": 99}, None),
    ],
)
def test_each_filter_drops_with_its_rule_and_value(make, curate, settings, reject):
    atoms = [a for a in make.chain(SEQUENCE) if a.seq <= 11]
    chains, rejects = curate({"x": make.mmcif(atoms, SEQRES, extra=EXTRA)}, **settings)
    if reject is None:
        assert (list(chains), rejects) == (["x_A"], {})
    else:
        name, rule, value = reject
        assert not chains
        assert rejects[name][:2] == (rule, value)


def test_predicted_models_are_filtered_by_plddt(make, curate):
    content = make.mmcif(make.chain(SEQUENCE, b=60.0), SEQRES, extra="_ma_model_list.model_id 1\n#")
    assert not curate({"x": content}, min_plddt=60)[1]
    assert curate({"x": content}, min_plddt=61)[1]["x_A"][:2] == ("min_plddt", "60.0")


def test_a_chain_whose_name_cannot_be_an_id_is_a_reject(make, curate):
    content = make.mmcif(make.chain(SEQUENCE, asym="<b>"), SEQRES)
    assert curate({"x": content})[1]["x"][0] == "chain_name"


def test_identical_chains_of_an_entry_name_the_first(make, curate):
    short = SEQUENCE[:-1]
    atoms = [
        *(a for a in make.chain(SEQUENCE) if a.seq < 3),  # too little is resolved: it is not the first that is kept
        *make.chain(SEQUENCE, asym="B"),
        *make.chain(short, asym="C", entity="2"),
        *make.chain(SEQUENCE, asym="D"),
    ]
    seqres = SEQRES | {"2": [ONE_TO_THREE[one] for one in short]}
    chains, rejects = curate({"x": make.mmcif(atoms, seqres), "y": make.mmcif(make.chain(SEQUENCE), SEQRES)})
    assert {name: chain.same_as for name, chain in chains.items()} == {
        "x_B": None,
        "x_C": None,
        "x_D": "x_B",
        "y_A": None,
    }
    assert rejects["x_A"][0] == "min_resolved"


def test_other_polymers_beside_a_protein_are_rejects(make, curate):
    atoms = [*make.chain(SEQUENCE), make.atom("P", "DA", 1, asym="C", entity="3")]
    content = make.mmcif(atoms, SEQRES | {"3": ["DA"]}, types={"3": "polydeoxyribonucleotide"})
    chains, rejects = curate({"x": content})
    assert (list(chains), rejects["x_C"][:2]) == (["x_A"], ("no_protein", "polydeoxyribonucleotide"))


def test_a_withdrawn_entry_is_a_reject(make, stored, tmp_path):
    lock = stored({"a": make.mmcif(make.chain(SEQUENCE), SEQRES), "b": None})
    table = read_frame(lock, lock_records.SCHEMA)
    table.loc[1, ["status", "reason"]] = ["replaced", "withdrawn; replaced by a"]
    write_frame(lock, table, lock_records.SCHEMA)
    curate_shard(lock, tmp_path / "store", outputs(tmp_path), CurateSettings())
    rejects = read_rejects(outputs(tmp_path).rejects).values.tolist()
    assert rejects == [["b", "fetch", "replaced", "withdrawn; replaced by a"]]


def test_sifts_goes_before_what_the_file_says(make, stored, tmp_path):
    extra = """_struct_ref.id 1
_struct_ref.db_name UNP
_struct_ref.pdbx_db_accession P00001
_struct_ref.entity_id 1
_struct_ref_seq.ref_id 1
_struct_ref_seq.pdbx_strand_id ?
_struct_ref_seq.seq_align_beg 1
_struct_ref_seq.seq_align_end 22
_struct_ref_seq.db_align_beg 11
_struct_ref_seq.db_align_end 32
#"""
    atoms = [*make.chain(SEQUENCE, chain="NA"), *make.chain(SEQUENCE, asym="B")]
    lock = stored({"1ABC": make.mmcif(atoms, SEQRES, extra=extra)})
    sifts = tmp_path / "sifts.parquet"
    row = ("1abc", "NA", "Q00002", 2, 5, "2", "5", 7, 10)
    write_frame(sifts, pd.DataFrame([row], columns=sifts_records.SCHEMA.names), sifts_records.SCHEMA)
    paths = outputs(tmp_path)
    curate_shard(lock, tmp_path / "store", paths, CurateSettings(), sifts=sifts)
    first, second = read_chains(paths[0])
    assert (first.uniprot, first.uniprot_segments) == ("Q00002", (Segment("Q00002", 2, 5, "2", "5", 7, 10, "sifts"),))
    assert second.uniprot == "P00001"
    assert second.uniprot_segments == (Segment("P00001", 1, 22, "1", "22", 11, 32, "struct_ref"),)


def test_supplied_sequences_are_read_from_the_data_folder(make, stored, tmp_path):
    atoms = [a for a in make.chain(SEQUENCE) if a.seq not in (9, 10)]
    lock = stored({"a": make.pdb(atoms), "b": make.pdb(atoms), "c": make.pdb(atoms)})
    (tmp_path / "fasta").mkdir()
    (tmp_path / "fasta/1.fasta").write_text(f">a_A\nMM{SEQUENCE}\n>b\n{SEQUENCE[::-1]}\n")
    paths = outputs(tmp_path)
    curate_shard(lock, tmp_path / "store", paths, CurateSettings(sequences=["fasta/*"]), data=tmp_path)
    chains = {chain.id: chain for chain in read_chains(paths[0])}
    assert chains["a_A"].sequence == f"MM{SEQUENCE}"
    assert chains["c_A"].sequence == SEQUENCE[:8] + "XX" + SEQUENCE[10:]
    (reject,) = read_rejects(paths[1]).itertuples(index=False)
    assert (reject.id, reject.rule) == ("b_A", "sequences")
    assert float(reject.value) < 0.9


def test_the_summary_gathers_the_shards(make, stored, tmp_path):
    good = make.mmcif([*make.chain(SEQUENCE), *make.chain(SEQUENCE, asym="B")], SEQRES)
    tables = []
    for shard, files in (("files-00000", {"b": good, "bad": b"x"}), ("files-00001", {"a": good})):
        tables.append(outputs(tmp_path, shard))
        curate_shard(stored(files, shard), tmp_path / "store", tables[-1], CurateSettings())
    summarise(*map(list, zip(*tables, strict=True)), summary(tmp_path))
    index = read_frame(tmp_path / "index.parquet", index_records.SCHEMA)
    assert index[["id", "shard"]].values.tolist() == [
        ["b_A", "files-00000"],
        ["b_B", "files-00000"],
        ["a_A", "files-00001"],
        ["a_B", "files-00001"],
    ]
    assert (index["length"] == len(SEQUENCE)).all()
    assert (index["resolved_fraction"] == 1).all()
    assert read_rejects(tmp_path / "rejects.csv")["id"].tolist() == ["bad"]


def test_a_run_without_a_chain_says_why(make, stored, tmp_path):
    lock = stored({"a": b"x", "b": b"y", "c": b""})
    paths = outputs(tmp_path)
    curate_shard(lock, tmp_path / "store", paths, CurateSettings())
    with pytest.raises(FoldgraftError, match=r"no protein chain is left: 2 x not_a_structure .*, 1 x empty"):
        summarise([paths[0]], [paths[1]], [paths[2]], summary(tmp_path))
    assert len(read_rejects(tmp_path / "rejects.csv")) == 3


def summarised(make, stored, tmp_path, sequences):
    """A shard for each sequence, all of one entry, and their summary."""
    tables = []
    for number, sequence in enumerate(sequences):
        shard = f"rcsb-{number:05d}"
        content = make.mmcif(make.chain(sequence), {"1": [ONE_TO_THREE[one] for one in sequence]})
        tables.append(outputs(tmp_path, shard))
        curate_shard(stored({"a": content}, shard), tmp_path / "store", tables[-1], CurateSettings())
    summarise(*map(list, zip(*tables, strict=True)), summary(tmp_path))
    return read_frame(tmp_path / "index.parquet", index_records.SCHEMA), read_rejects(tmp_path / "rejects.csv")


def test_a_chain_of_two_shards_counts_as_of_the_first(make, stored, tmp_path):
    index, rejects = summarised(make, stored, tmp_path, [SEQUENCE, SEQUENCE])
    assert index[["id", "shard"]].values.tolist() == [["a_A", "rcsb-00000"]]
    assert rejects[["id", "rule", "value"]].values.tolist() == [["a_A", "repeated", "rcsb-00001"]]


def test_two_chains_with_one_id_are_an_error(make, stored, tmp_path):
    with pytest.raises(FoldgraftError, match="chain a_A comes from two inputs"):
        summarised(make, stored, tmp_path, [SEQUENCE, SEQUENCE[::-1]])
    assert read_rejects(tmp_path / "rejects.csv")["rule"].tolist() == ["repeated"]
