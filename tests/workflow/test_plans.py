"""What is planned for runs that lack a kind of input, and what a change of one key replans."""

import re

import pytest
import yaml
from running import ROOT, copy_checkout, planned, snakemake

STRUCTURES = {"structures": {"files": ["*.cif"]}}
LABELS = {"solubility": {"table": "l.csv"}, "experiments": {"s": {"task": "solubility"}}}


@pytest.fixture
def folder(tmp_path):
    """A folder whose name needs quotes, with one input of each kind."""
    folder = tmp_path / "o'ne \"two"
    folder.mkdir()
    for number in range(4):
        (folder / f"e{number}.cif").write_text("data_e\n# ALA\n")
    (folder / "l.csv").write_text("id,sequence,label\na,MKV,1\nb,MKL,0\nc,MKI,1\nd,MKW,0\ne,MKA,1\n")
    (folder / "s.fasta").write_text(">a\nMKV\n")
    (folder / "a.a3m").write_text(">a\nMKV\n>b\nMRV\n")
    return folder


def plan(folder, values, *arguments):
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump({"run": "r", "data": str(folder), **values}))
    done = snakemake(folder, "--dry-run", *arguments, "--configfile", str(path), snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    return planned(done.stdout + done.stderr)


def test_structures_alone(folder):
    counts = plan(folder, STRUCTURES)
    assert counts["targets_shard"] == counts["report_render"] == 1
    assert not {"fetch_labels", "fetch_sequences", "msa_search", "train_experiment"} & set(counts)
    assert "evaluate_diagnose" not in plan(folder, STRUCTURES, "evaluate")


def test_labels_alone(folder):
    counts = plan(folder, LABELS)
    assert counts["train_experiment"] == counts["report_render"] == 1
    assert not {"fetch_structures", "curate_summary", "targets_shard", "msa_search"} & set(counts)


def test_prediction_embeds_with_the_precision_of_the_run(folder):
    given = {**LABELS, "predict": {"sequences": {"new": "new.fasta"}}, "embed": {"precision": "bfloat16"}}
    (folder / "new.fasta").write_text(">a\nMKV\n")
    (folder / "given.yaml").write_text(yaml.safe_dump({"run": "r", "data": str(folder), **given}))
    words = ("--dry-run", "--printshellcmds", "predict", "--configfile", str(folder / "given.yaml"))
    done = snakemake(folder, *words, snakefile=ROOT / "Snakefile")
    said = " ".join(done.stdout.partition(" predict sequences ")[2].split())
    assert "--precision bfloat16" in said, done.stdout + done.stderr


def test_alignments_alone_need_no_sequences(folder):
    counts = plan(folder, {**STRUCTURES, "msa": {"alignments": {"files": ["*.a3m"]}}}, "msa")
    assert counts["msa_queries"] == counts["msa_database"] == 1
    assert counts["msa_search"] == counts["msa_coevolution"] == 1
    assert "fetch_sequences" not in counts


def test_residue_embeddings_are_kept_of_the_kind_whose_residues_an_experiment_reads(folder):
    contacts = {"task": "contact", "head": "residual", "features": ["separation", "embedding"]}
    given = {**STRUCTURES, **LABELS, "experiments": {"s": {"task": "solubility", "head": "mlp"}, "c": contacts}}
    (folder / "given.yaml").write_text(yaml.safe_dump({"run": "r", "data": str(folder), **given}))
    words = ("--dry-run", "--printshellcmds", "train", "--configfile", str(folder / "given.yaml"))
    done = snakemake(folder, *words, snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = [" ".join(text.split("\n\n")[0].split()) for text in done.stdout.split(" embed shard ")[1:]]
    of = {
        kind: next(call for call in calls if f"/embed/{kind}-00000.safetensors" in call)
        for kind in ("solubility", "files")
    }
    assert "--residues" not in of["solubility"] and "--residues last" in of["files"]
    commands = " ".join(done.stdout.replace("\\\n", " ").split())
    trained = commands.partition(" train experiment --experiment c")[2].partition(" 2>")[0]
    assert "--embeddings results/r/embed/files-00000.safetensors" in trained and "embed/solubility" not in trained


def test_a_prepared_database_and_an_alignment_of_ones_own_need_no_database_made(folder):
    (folder / "db.dbtype").write_bytes(bytes(4))
    for name in ("db", "db.index"):
        (folder / name).write_text("")
    (folder / "s.fasta").write_text(">a\nMKV\n")
    given = {
        **STRUCTURES,
        "sequences": {"files": ["s.fasta"]},
        "trunk": {"pretrain": {}},
        "msa": {"database": "db"},
        "experiments": {"c": {"task": "contact", "features": ["attention", "coevolution"]}},
        "predict": {"alignments": {"mine": "a.a3m"}},
    }
    counts = plan(folder, given, "predict")
    assert counts["msa_search"] == counts["train_experiment"] == counts["predict_contacts"] == 1
    assert "msa_database" not in counts


def test_braces_in_the_folder_of_the_data_are_no_wildcards(folder):
    folder = folder.rename(folder.with_name("{shard} of ü"))
    given = {**STRUCTURES, **LABELS, "sequences": {"files": ["s.fasta"]}}
    assert plan(folder, given)["train_experiment"] == 1


def test_a_file_that_snakemake_would_take_for_a_pattern_is_refused_with_what_to_do(folder):
    folder = folder.rename(folder.with_name("{shard}"))
    (folder / "given.yaml").write_text(
        yaml.safe_dump({"data": str(folder), **LABELS, "predict": {"sequences": {"new": "s.fasta"}}})
    )
    done = snakemake(folder.parent, "-n", "--configfile", str(folder / "given.yaml"), snakefile=ROOT / "Snakefile")
    assert "{shard}/s.fasta: Snakemake takes {shard} in a path for a wildcard; rename it" in done.stderr
    assert done.returncode != 0 and "Traceback" not in done.stderr


def test_a_batch_plans_its_share_of_the_shards_in_another_directory(folder, tmp_path):
    (folder / "given.yaml").write_text(yaml.safe_dump({"run": "r", "fetch": {"shard_size": 1}, **STRUCTURES}))
    checkout = copy_checkout(folder / "checkout")  # there paths are relative, and those of results the first of them
    for name in folder.glob("*.cif"):
        name.rename(checkout / name.name)
    words = ("--configfile", str(folder / "given.yaml"), "--directory", str(checkout))
    index = ("--dry-run", "results/r/curate/index.parquet", "--batch", "curate_summary=1/9")
    done = snakemake(tmp_path, *index, *words, snakefile=checkout / "Snakefile")
    counts = planned(done.stdout + done.stderr)
    assert done.returncode == 0 and 0 < counts["curate_shard"] <= 4, done.stdout + done.stderr
    assert "curate_summary" not in counts


def test_until_a_rule_plans_no_more(folder):
    stages = {name.partition("_")[0] for name in plan(folder, STRUCTURES, "--until", "curate_shard")}
    assert stages == {"fetch", "curate", "total"}


def test_lint_finds_nothing_but_what_is_explained(tmp_path):
    done = snakemake(tmp_path, "--lint", snakefile=ROOT / "Snakefile")
    titles = set(re.findall(r"^    \* (.+):$", done.stderr, re.M))
    # A stage's functions of inputs stand beside the rules that call them: a stage has one home. What all stages share
    # is in common.smk, which the linter takes for rules as well, since its functions speak of them.
    assert titles == {"Mixed rules and functions in same snakefile."}
