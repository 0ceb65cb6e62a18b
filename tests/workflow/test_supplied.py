"""Sequences that a user supplies for files without SEQRES, through Snakemake."""

import yaml
from running import copy_checkout, planned, snakemake

from foldgraft.records.chains import read_chains
from foldgraft.residues import ONE_TO_THREE

SEQUENCE = "MKVLAAGIVGMKVLAAGIVGWW"
ATOM = "ATOM  {0:>5}  CA  {1} A{0:>4}    {2:8.3f}   0.000   0.000  1.00 20.00           C"


def write_pdb(path):
    atoms = [ATOM.format(k, ONE_TO_THREE[one], 3.8 * k) for k, one in enumerate(SEQUENCE, 1) if k not in (9, 10)]
    path.write_text("\n".join([*atoms, "END", ""]))


def test_a_supplied_sequence_is_used_and_a_change_reruns(tmp_path):
    copy_checkout(tmp_path)  # whose code no one edits meanwhile
    write_pdb(tmp_path / "a.pdb")
    fasta = tmp_path / "o'ne.fasta"
    fasta.write_text(f">a_A\n{SEQUENCE}\n")
    config = tmp_path / "given.yaml"
    values = {"run": "r", "structures": {"files": ["*.pdb"]}, "curate": {"sequences": ["*.fasta"]}}
    config.write_text(yaml.safe_dump(values))

    def run(*arguments):
        done = snakemake(tmp_path, "curate", "--cores", "1", "--configfile", str(config), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return planned(done.stdout + done.stderr)

    run("--quiet")
    (chain,) = read_chains(tmp_path / "results/r/curate/chains/files-00000.parquet")
    assert chain.sequence == SEQUENCE
    assert run("--dry-run") == {}
    fasta.write_text(f">a_A\n{SEQUENCE}GG\n")
    assert run("--dry-run")["curate_shard"] == 1
    values["curate"]["sequences"] = ["none*"]
    config.write_text(yaml.safe_dump(values))
    done = snakemake(tmp_path, "curate", "--dry-run", "--configfile", str(config))
    assert done.returncode
    assert "curate.sequences: 'none*' matches no file" in done.stdout + done.stderr
