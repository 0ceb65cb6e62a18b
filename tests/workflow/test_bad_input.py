"""What a user sees for bad input: one clear line before any job runs, or a reject and a run that goes on."""

import copy
import gzip

import gemmi
import pandas as pd
import pytest
import yaml
from running import ROOT, snakemake


def peptide(name: str, residues: int = 30) -> str:
    """A small mmCIF file of one straight poly-alanine chain."""
    structure = gemmi.Structure()
    structure.name = name
    chain = gemmi.Chain("A")
    for number in range(1, residues + 1):
        residue = gemmi.Residue()
        residue.name, residue.seqid, residue.entity_type = "ALA", gemmi.SeqId(str(number)), gemmi.EntityType.Polymer
        for shift, (atom_name, element) in enumerate((("N", "N"), ("CA", "C"), ("C", "C"), ("O", "O"), ("CB", "C"))):
            atom = gemmi.Atom()
            atom.name, atom.element = atom_name, gemmi.Element(element)
            atom.pos = gemmi.Position(3.5 * number + 1.2 * shift, 0.7 * shift, 0.3 * shift * shift)
            atom.occ = 1.0
            residue.add_atom(atom)
        chain.add_residue(residue)
    model = gemmi.Model(1)
    model.add_chain(chain)
    structure.add_model(model)
    structure.setup_entities()
    structure.assign_label_seq_id()
    return structure.make_mmcif_document().as_string()


@pytest.fixture
def inputs(tmp_path):
    """A folder of good inputs and the configuration that uses them; each test spoils one thing."""
    (tmp_path / "structures").mkdir()
    for name in ("1abc", "2abc"):
        (tmp_path / f"structures/{name}.cif").write_text(peptide(name))
    (tmp_path / "sequences.fasta").write_text(">a\nMKVLAAGIVG\n>b\nMKVLSAGIVGW\n")
    rows = [f"p{n},{'MKVLAAGIVGLLLAGCSS'[n % 5 :]}{'ACDEFGHIKL'[n % 10]},{n % 2}" for n in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,sequence,soluble", *rows]) + "\n")
    config = {
        "run": "bad",
        "data": str(tmp_path),
        "structures": {"files": ["structures/*.cif"]},
        "sequences": {"files": ["sequences.fasta"]},
        "solubility": {"table": "labels.csv", "columns": {"id": "id", "sequence": "sequence", "label": "soluble"}},
        "trunk": {"pretrain": {"steps": 1}},
        "experiments": {"solubility": {"task": "solubility", "head": "linear"}},
    }
    return tmp_path, config


def plan(folder, config):
    (folder / "bad.yaml").write_text(yaml.safe_dump(config))
    return snakemake(folder, "--dry-run", "--configfile", "bad.yaml", snakefile=ROOT / "Snakefile")


def spoil_key(folder, config):
    config["structures"]["flies"] = config["structures"].pop("files")


def spoil_range(folder, config):
    config["curate"] = {"min_resolved": 1.5}


def spoil_top_level(folder, config):
    config["structres"] = {}


def spoil_experiment(folder, config):
    config["experiments"]["solubility"]["head"] = "transformer"


def spoil_table(folder, config):
    config["solubility"]["table"] = "lables.csv"


def spoil_glob(folder, config):
    config["structures"]["files"] = ["structures/*.pdb"]


def spoil_entry_id(folder, config):
    (folder / "structures/1abc.pdb").write_text("END\n")
    config["structures"]["files"].append("structures/*.pdb")


def spoil_fasta(folder, config):
    (folder / "sequences.fasta").write_text(">a\nMKV\n>b\n>c\nMKV\n")


def spoil_fasta_id(folder, config):
    (folder / "sequences.fasta").write_text(">a\nMKV\n>a\nMKL\n")


def spoil_label(folder, config):
    table = pd.read_csv(folder / "labels.csv").astype(str)
    table.loc[3, "soluble"] = "yes"
    table.to_csv(folder / "labels.csv", index=False)


def spoil_label_id(folder, config):
    table = pd.read_csv(folder / "labels.csv")
    table.loc[3, "id"] = "p2"
    table.to_csv(folder / "labels.csv", index=False)


def spoil_column(folder, config):
    config["solubility"]["columns"]["label"] = "solubility"


def spoil_data(folder, config):
    config["data"] = str(folder / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_key, ["structures.flies", "no such key"]),
        (spoil_top_level, ["structres", "no such key"]),
        (spoil_range, ["curate.min_resolved", "1.5"]),
        (spoil_experiment, ["experiments.solubility", "head", "transformer", "light_attention"]),
        (spoil_table, ["lables.csv"]),
        (spoil_glob, ["structures/*.pdb"]),
        (spoil_entry_id, ["1abc"]),
        (spoil_fasta, ["sequences.fasta", "b", "empty"]),
        (spoil_fasta_id, ["sequences.fasta", "a"]),
        (spoil_label, ["labels.csv", "yes"]),
        (spoil_label_id, ["labels.csv", "p2"]),
        (spoil_column, ["solubility", "soluble"]),
        (spoil_data, ["data", "nowhere"]),
    ],
)
def test_bad_input_stops_before_any_job(inputs, spoil, words):
    folder, config = inputs
    config = copy.deepcopy(config)
    spoil(folder, config)
    done = plan(folder, config)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output
    assert "Job stats" not in output
    assert all(word in output for word in words), output
    assert not (folder / "results").exists()


def test_good_input_plans(inputs):
    done = plan(*inputs)
    assert done.returncode == 0, done.stdout + done.stderr


def curate(folder, config):
    (folder / "bad.yaml").write_text(yaml.safe_dump(config))
    arguments = ("curate", "--cores", "2", "--configfile", "bad.yaml", "--show-failed-logs")
    return snakemake(folder, *arguments, snakefile=ROOT / "Snakefile")


def test_bad_structures_are_rejects_and_the_run_goes_on(inputs):
    folder, config = inputs
    good = (folder / "structures/1abc.cif").read_text()
    (folder / "structures/3cut.cif").write_text(good[: len(good) // 2])
    (folder / "structures/4txt.cif").write_text("<html><body>503 Service Unavailable</body></html>")
    (folder / "structures/5zip.cif.gz").write_bytes(gzip.compress(good.encode())[:200])
    config["structures"]["files"].append("structures/*.gz")
    done = curate(folder, config)
    assert done.returncode == 0, done.stdout + done.stderr
    rejects = pd.read_csv(folder / "results/bad/curate/rejects.csv")
    index = pd.read_parquet(folder / "results/bad/curate/index.parquet")
    assert {"4txt", "5zip"} <= set(rejects.id)
    assert {"1abc", "2abc"} <= set(index.entry)
    assert set(rejects.id) | set(index.entry) >= {"3cut"}


def test_a_shard_of_rejects_does_not_stop_the_run(inputs):
    folder, config = inputs
    for name in ("1abc", "2abc"):
        (folder / f"structures/{name}x.cif").write_text("nothing")
    config["fetch"] = {"shard_size": 1}
    done = curate(folder, config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(pd.read_parquet(folder / "results/bad/curate/index.parquet")) == 2


def test_a_run_of_rejects_stops_and_says_so(inputs):
    folder, config = inputs
    for path in (folder / "structures").iterdir():
        path.write_text("data_x\n_entity_poly_seq.mon_id ALA\n")
    done = curate(folder, config)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "error:" in output and "Traceback" not in output
    assert (folder / "results/bad/curate/rejects/files-00000.csv").exists()
