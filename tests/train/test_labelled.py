"""A labelled table makes a task without a line of code: classes, values, labels per residue, covariates; and the head
that learnt from one is tried on another."""

import numpy as np
import pandas as pd
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.external import External, transfer
from foldgraft.records.files import sequence_sha256
from foldgraft.records.labels import SCHEMA, Description, described
from foldgraft.records.predictions import PROTEIN, RESIDUE, read_about
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_rows, write_frame
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.covariates import encode
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import load_head
from foldgraft.train.experiment import train
from foldgraft.train.inputs import Inputs
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import Experiment

COUNT = 150
CLASSES = ("membrane", "cytosol", "nucleus")


class Toy:
    """A table on disk, with a split, and the trunk of the other tests."""

    def __init__(self, folder, root, embed):
        self.folder, self.root, self.embed = folder, root, embed
        rng = np.random.default_rng(0)
        self.sequences = ["".join(rng.choice(list(AMINO_ACIDS), rng.integers(20, 40))) for _ in range(COUNT)]
        self.fold = np.arange(COUNT) % 5

    def run(self, kind, level="protein", label=None, residues=None, covariates=None, read=(), **experiment):
        """Write the table, train an experiment on it, and return where its results are."""
        self.write("toy", kind, level, label, residues, covariates)
        shard = self.embed(self.root / "embed/toy-00000.safetensors", self.folder.trunk(), self.sequences)
        inputs = Inputs(self.root / "split.parquet", self.folder.trunk(), labels=[self.root / "toy-00000.parquet"],
                        embeddings=[shard])  # fmt: skip
        task = Task(name="toy", level=level, kind=kind)
        outputs = Outputs.of(self.root / "out")
        train("x", Experiment(task="toy", covariates=read, **experiment), [task], inputs, outputs)
        return outputs

    def write(self, name, kind, level="protein", label=None, residues=None, covariates=None, classes=CLASSES):
        """Write the table under a name, and its split."""
        classes = classes if kind == "classes" else ()
        description = Description(
            task=name, level=level, kind=kind, classes=classes, unit="nM" if kind == "value" else "",
            covariates=("host", "dose") if covariates is not None else (),
        )  # fmt: skip
        names = [sequence_sha256(sequence) for sequence in self.sequences]
        frame = pd.DataFrame({"id": [f"t{n}" for n in range(COUNT)], "sequence": self.sequences})
        frame = frame.assign(
            sequence_sha256=names,
            label=label if label is not None else None,
            residues=residues if residues is not None else None,
            fold=pd.array(self.fold, dtype="Int64"),
            split=None,
            group=None,
            covariates=covariates if covariates is not None else [[] for _ in range(COUNT)],
            replicates=1,
            spread=None,
        )
        write_frame(self.root / f"{name}-00000.parquet", frame[SCHEMA.names], described(description))
        places = frame[["id", "sequence_sha256"]].assign(set=name, cluster=0, split="train", fold=self.fold)
        write_frame(self.root / "split.parquet", places, SPLIT)


@pytest.fixture
def toy(folder, tmp_path, embed_sequences):
    return Toy(folder, tmp_path, embed_sequences)


def share(sequences, letters):
    return np.array([sum(letter in letters for letter in text) / len(text) for text in sequences])


def on_test_proteins(outputs):
    table = read_frame(outputs.predictions / "toy.parquet", PROTEIN)
    table = table[table["split"] == "test"]
    return table["truth"].to_numpy(), np.vstack(table["score"])


def test_classes(toy):
    shares = np.stack([share(toy.sequences, letters) for letters in ("AILMFWV", "DEKR", "GSTNQ")])
    outputs = toy.run("classes", label=shares.argmax(0).astype(float), head="linear", cross_validate=True)
    truth, score = on_test_proteins(outputs)
    assert len(truth) == COUNT and score.shape == (COUNT, 3) and score.sum(1) == pytest.approx(1, abs=1e-4)
    assert (score.argmax(1) == truth).mean() > max(np.bincount(truth.astype(int))) / COUNT + 0.1
    assert read_about(outputs.predictions / "toy.parquet").target == {
        "kind": "classes",
        "names": ["membrane", "cytosol", "nucleus"],
    }


def test_values_come_in_their_unit(toy):
    label = 1000 + 5000 * share(toy.sequences, "DEKR")
    outputs = toy.run("value", label=label, head="linear", cross_validate=True)
    truth, score = on_test_proteins(outputs)
    assert 1 - np.square(truth - score[:, 0]).mean() / truth.var() > 0.3
    assert read_about(outputs.predictions / "toy.parquet").target == {"kind": "value", "unit": "nM"}


def test_labels_of_residues_and_those_that_are_missing(toy):
    residues = [np.array([np.nan if c == "W" else 3.0 * (c in "DEKR") for c in text]) for text in toy.sequences]
    training = {"epochs": 12, "patience": 12, "batch_size": 8, "optimizer": {"lr": 0.02}}
    outputs = toy.run("value", "residue", residues=residues, head={"name": "ss3_mlp", "window": 3, "hidden": 16},
                      validation="next", training=training)  # fmt: skip
    for row in read_rows(outputs.predictions / "toy.parquet", RESIDUE):
        truth, score = np.array(row["truth"]), np.array(row["score"])
        known = ~np.isnan(truth)
        assert known.sum() + toy.sequences[int(row["id"][1:])].count("W") == row["length"]
        assert np.abs(truth - score)[known].mean() < 0.6


def test_covariates_join_the_head(toy):
    """The label is what the host says, which no sequence knows."""
    host = np.arange(COUNT) % 2
    known = [["coli" if h else "yeast", f"{h + 0.5}" if n % 3 else ""] for n, h in enumerate(host)]
    label = host.astype(float)
    outputs = toy.run("binary", label=label, covariates=known, head="linear", read=["host"], cross_validate=True)
    truth, score = on_test_proteins(outputs)
    assert ((score[:, 0] > 0.5) == truth).all()
    assert load_head(outputs.head).info.covariates == ["host=coli", "host=yeast"]
    with pytest.raises(FoldgraftError, match=r"covariates: 'strain' is none of the table's .*host, dose"):
        toy.run("binary", label=label, covariates=known, head="linear", read=["strain"])


def test_labels_of_another_length_than_their_sequence_are_named(toy):
    residues = [np.zeros(len(text) - (n == 7)) + (n % 2) for n, text in enumerate(toy.sequences)]
    with pytest.raises(FoldgraftError, match=r"x: t7 has \d+ labels for \d+ residues; correct the table toy"):
        toy.run("value", "residue", residues=residues, head="ss3_mlp")


def test_a_class_that_is_tested_alone_is_named(toy):
    label = np.where(toy.fold == 0, 2.0, np.arange(COUNT) % 2)
    with pytest.raises(FoldgraftError, match="no training protein is of the class nucleus of toy"):
        toy.run("classes", label=label, head="linear")


def test_labels_that_are_constant_are_named(toy):
    with pytest.raises(FoldgraftError, match="a head cannot learn toy from its training labels: all are 1"):
        toy.run("binary", label=np.ones(COUNT), head="linear")


def test_covariates_become_numbers():
    found = encode(["host", "dose"], [["coli", "1"], ["yeast", "3"], ["coli", ""], ["", "2"]])
    assert found.names == ["host=", "host=coli", "host=yeast", "dose"]
    assert found.values.tolist() == [[0, 1, 0, 1], [0, 0, 1, 3], [0, 1, 0, 2], [1, 0, 0, 2]]


@pytest.fixture
def tried(toy):
    """A head that learnt three classes from the table `toy`, and a way to try it on another."""
    shares = np.stack([share(toy.sequences, letters) for letters in ("AILMFWV", "DEKR", "GSTNQ")])
    label = shares.argmax(0).astype(float)
    outputs = toy.run("classes", label=label, head="linear")

    def external(kind="classes", classes=CLASSES, predictions=()):
        order = [classes.index(name) for name in CLASSES if name in classes]
        known = np.array(order)[label.astype(int)] if len(order) == 3 else label % 2
        toy.write("other", kind, label=known.astype(float), classes=classes)
        shard = toy.root / "embed/toy-00000.safetensors"
        path = toy.root / "external/x.parquet"
        path.parent.mkdir(exist_ok=True)
        labels, split = [toy.root / "other-00000.parquet"], toy.root / "split.parquet"
        transfer(External(outputs.head, toy.folder.trunk(), labels, split, [shard], predictions), path)
        return path

    return outputs, external


def test_it_says_what_it_said_of_the_same_proteins_whatever_the_order_of_the_classes(tried):
    outputs, external = tried
    path = external(classes=("nucleus", "membrane", "cytosol"))
    said = read_frame(path, PROTEIN).set_index("id")
    own = read_frame(outputs.predictions / "toy.parquet", PROTEIN)
    own = own[own["split"] == "test"].set_index("id")
    assert len(said) == COUNT and set(said["split"]) == {"test"} and len(own) == COUNT / 5
    for name, row in own.iterrows():
        assert said.loc[name, "score"] == pytest.approx(np.asarray(row["score"])[[2, 0, 1]], abs=1e-6)
        assert said.loc[name, "truth"] == {0: 1, 1: 2, 2: 0}[row["truth"]]
    assert read_about(path).experiment == "transfer_x"
    assert read_about(path).target["names"] == ["nucleus", "membrane", "cytosol"]


def test_beside_experiments_of_the_table_it_covers_what_they_predicted(tried):
    outputs, external = tried
    own = read_frame(outputs.predictions / "toy.parquet", PROTEIN, ["id", "split"])
    said = read_frame(external(predictions=[outputs.predictions / "toy.parquet"]), PROTEIN, ["id", "split"])
    assert set(said.itertuples(index=False)) == set(own.itertuples(index=False))
    assert set(said["split"]) == {"test", "valid"}


def test_a_table_of_which_nothing_was_embedded_is_named(tried, toy):
    toy.sequences = [f"{sequence}W" for sequence in toy.sequences]
    with pytest.raises(FoldgraftError, match=r"evaluate.external.other: x can read no protein of the table"):
        tried[1]()


@pytest.mark.parametrize(
    "other", [{"kind": "binary"}, {"classes": ("membrane", "cytosol")}], ids=["another kind", "other classes"]
)
def test_labels_that_the_head_does_not_predict_are_refused(tried, other):
    with pytest.raises(
        FoldgraftError,
        match=r"evaluate.external.other: the experiment x predicts toy \(classes of each protein: membrane, cytosol, "
        r"nucleus\), while the table's labels are (binary of each protein|classes .*: membrane, cytosol); name another",
    ):
        tried[1](**other)
