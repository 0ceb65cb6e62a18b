"""Fetching from a service through the workflow, and the same again from the lock with the service gone."""

import yaml
from pytest_httpserver import HTTPServer
from running import ROOT, content, snakemake
from services import UniprotService, active, inactive

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
    (tmp_path / "a.cif").write_text("data_a\n")
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
