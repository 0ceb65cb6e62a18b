"""Fetching from a service through the workflow, and the same again from the lock with the service gone."""

import yaml
from msa_service import MsaService
from pytest_httpserver import HTTPServer
from running import ROOT, content, snakemake
from services import UniprotService, active, inactive

from foldgraft.evolution.a3m import parse_a3m
from foldgraft.records.alignments import ALIGNMENTS
from foldgraft.records.tables import read_rows
from foldgraft.residues import ONE_TO_THREE

TABLE = "PDB,CHAIN,SP_PRIMARY,RES_BEG,RES_END,PDB_BEG,PDB_END,SP_BEG,SP_END\n1abc,A,P69905,1,9,1,9,2,10\n"


def fetched(folder, run, services, **more):
    values = {
        "run": run,
        "structures": {"files": ["*.cif"], "sifts": "download"},
        "sequences": {"uniprot": {"accessions": ["P69905", "Q15086"], "query": "reviewed:true"}, "files": ["*.fasta"]},
        "fetch": {"services": services, "retries": 0},
        **more,
    }
    (folder / "given.yaml").write_text(yaml.safe_dump(values))
    done = snakemake(folder, "fetch", "--cores", "2", "--configfile", "given.yaml", snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    names = ("sequences.fasta.gz", "sequences.parquet", "sifts.parquet", "sifts_lock.parquet", "lock.parquet")
    return {name: content(folder / "results" / run / "fetch" / name) for name in names}


def test_what_services_gave_is_replayed_without_them(tmp_path):
    (tmp_path / "a.cif").write_text("data_a\n# ALA\n")
    (tmp_path / "a.fasta").write_text(">x\nMKV\n")
    with HTTPServer(port=0) as server:
        entries = active("P69905", "MVLSPADK"), active("P04637", "MEEPQSD"), inactive("Q15086", "MERGED", "P04637")
        UniprotService(server, *entries)
        server.expect_request("/sifts.csv").respond_with_data(TABLE)
        base = server.url_for("").rstrip("/")
        services = {"uniprot": f"{base}/uniprotkb", "sifts": f"{base}/sifts.csv"}
        first = fetched(tmp_path, "first", services)
    (tmp_path / "a.fasta").unlink()
    (tmp_path / "a.cif").unlink()
    assert fetched(tmp_path, "again", services, replay="results/first/fetch/lock.parquet") == first


ATOM = "ATOM  {0:>5}  CA  {1} A{0:>4}    {2:8.3f}   0.000   0.000  1.00 20.00           C"
SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQ"


def test_colabfolds_server_aligns_a_sequence_of_two_shards_once(tmp_path):
    atoms = [ATOM.format(k, ONE_TO_THREE[one], 3.8 * k) for k, one in enumerate(SEQUENCE, 1)]
    for name in ("one", "two"):
        (tmp_path / f"{name}.pdb").write_text("\n".join([*atoms, "END", ""]))
    homologs = [SEQUENCE.replace("M", "L"), SEQUENCE.replace("K", "R")]
    with HTTPServer(port=0) as server:
        service = MsaService(server, {SEQUENCE: (homologs[:1], homologs[1:])})
        fetch = {"shard_size": 1, "contact": "me@example.org", "services": {"colabfold": server.url_for("")}}
        values = {"run": "r", "structures": {"files": ["*.pdb"]}, "msa": {"database": "colabfold"}, "fetch": fetch}
        (tmp_path / "given.yaml").write_text(yaml.safe_dump(values))
        tables = [f"results/r/msa/alignments/files-0000{number}.parquet" for number in range(2)]
        words = (*tables, "results/r/fetch/lock.parquet", "--cores", "2", "--configfile", "given.yaml")
        done = snakemake(tmp_path, *words, snakefile=ROOT / "Snakefile")
        assert done.returncode == 0, done.stdout + done.stderr
    assert service.asked == [f"submit {SEQUENCE}", "download"]
    ((row,), nothing) = (list(read_rows(tmp_path / path, ALIGNMENTS)) for path in tables)
    assert nothing == [] and (row["id"], row["source"]) == ("one_A", "colabfold")
    assert [one.text for one in parse_a3m(row["a3m"])] == [SEQUENCE, *homologs]
    lock = content(tmp_path / "results/r/fetch/lock.parquet")
    assert [row["shard"] for row in lock] == ["files-00000", "files-00001", "alignments_files-00000"]
