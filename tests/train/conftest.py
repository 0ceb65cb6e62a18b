"""A small random trunk, proteins whose composition tells their solubility, and chains with planted contacts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents
from foldgraft.records.files import file_sha256, sequence_sha256, write_json
from foldgraft.records.pairs import triangle
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import row_writer, write_frame
from foldgraft.records.targets import SCHEMA, TORSIONS, Targets
from foldgraft.residues import AMINO_ACIDS
from foldgraft.train.inputs import Inputs
from label_tables import write_labels

ARCHITECTURE = Architecture(layers=2, width=24, heads=3)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Folder:
    """What the stages before training would have left."""

    weights: Path
    description: Path
    split: Path
    labels: list[Path]
    targets: list[Path]
    coevolution: list[Path]
    embeddings: list[Path]

    def inputs(self, *kinds: str) -> Inputs:
        """What an experiment reads of these kinds."""
        return Inputs(split=self.split, trunk=self.trunk(), **{kind: getattr(self, kind) for kind in kinds})

    def trunk(self) -> Trunk:
        return Trunk.load(self.weights, self.description, torch.device("cpu"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Folder:
    root = tmp_path_factory.mktemp("stages")
    weights, description = root / "model.safetensors", root / "trunk.json"
    torch.manual_seed(0)
    save_file(build_network(ARCHITECTURE).state_dict(), weights)
    about = {"name": "small", "sha256": file_sha256(weights), "architecture": ARCHITECTURE.as_dict()}
    write_json(description, about)
    rng = np.random.default_rng(0)
    labels = [labelled(rng, start, 120) for start in (0, 120)]
    chains = [[chain(rng, start + k) for k in range(12)] for start in (0, 12)]
    places = [place(id, "solubility", name, k % 5) for table in labels for k, (id, name) in enumerate(ids(table))]
    places += [place(c.id, "structures", c.sequence_sha256, k % 4) for shard in chains for k, c in enumerate(shard)]
    split = root / "split.parquet"
    write_frame(split, pd.DataFrame(places), SPLIT)
    trunk = Trunk.load(weights, description, torch.device("cpu"))
    embeddings = []
    for number, table in enumerate(labels):
        write_labels(root / f"solubility-{number:05d}.parquet", table)
        embeddings.append(embed(root / f"embed/labels-{number:05d}.safetensors", trunk, table["sequence"]))
    for number, shard in enumerate(chains):
        write_chains(root, number, shard, rng)
        embeddings.append(embed(root / f"embed/files-{number:05d}.safetensors", trunk, [c.sequence for c in shard]))
    return Folder(
        weights=weights,
        description=description,
        split=split,
        labels=sorted(root.glob("solubility-*.parquet")),
        targets=sorted((root / "targets").glob("*.parquet")),
        coevolution=sorted((root / "coevolution").glob("*.parquet")),
        embeddings=embeddings,
    )


def labelled(rng: np.random.Generator, start: int, count: int) -> pd.DataFrame:
    """Proteins that are soluble the more likely the more charge their composition has."""
    rows = []
    for number in range(start, start + count):
        charge = rng.choice([0.05, 0.45])
        letters = rng.choice(list(AMINO_ACIDS), rng.integers(30, 70))
        letters = np.where(rng.random(len(letters)) < charge, rng.choice(list("DEKR"), len(letters)), letters)
        sequence = "".join(letters)
        label = float(charge + rng.normal(0, 0.1) > 0.25)
        rows.append([f"p{number}", sequence, sequence_sha256(sequence), label, None])
    return pd.DataFrame(rows, columns=["id", "sequence", "sequence_sha256", "label", "fold"]).astype({"fold": "Int64"})


def ids(table: pd.DataFrame):
    return zip(table["id"], table["sequence_sha256"], strict=True)


def place(id: str, kind: str, name: str, fold: int) -> dict:
    split = {0: "test", 1: "valid"}.get(fold, "train")
    return {"id": id, "set": kind, "sequence_sha256": name, "cluster": 0, "split": split, "fold": fold}


def states(sequence: str) -> str:
    """A secondary structure that a residue's letter tells."""
    return "".join(
        "H" if letter in "AELMQKRH" else "E" if letter in "VIYCWFT" else "-" if letter == "N" else "C"
        for letter in sequence
    )


def torsions(sequence: str) -> np.ndarray:
    """Angles that a residue's state tells."""
    degrees = {"H": (-60, -45), "E": (-120, 130), "C": (-80, 150), "-": (0, 0)}
    angles = np.zeros((len(sequence), len(TORSIONS)))
    angles[:, :2] = np.radians([degrees[state] for state in states(sequence)])
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1)


def chain(rng: np.random.Generator, number: int) -> Targets:
    """A chain with a contact for about every tenth pair, some residues unresolved."""
    length = int(rng.integers(40, 60))
    i, j = triangle(length)
    sequence = "".join(rng.choice(list(AMINO_ACIDS), length))
    return Targets(
        id=f"c{number}",
        sequence=sequence,
        sequence_sha256=sequence_sha256(sequence),
        distogram=np.minimum(j - i, 63).astype(np.uint8),
        contacts=rng.random(len(i)) < 0.1,
        pair_mask=i != 3,
        torsions=torsions(sequence),
        torsion_mask=np.arange(length * len(TORSIONS)).reshape(length, -1) % length != 0,
        ss3=states(sequence),
    )


def write_chains(root: Path, number: int, shard: list[Targets], rng: np.random.Generator) -> None:
    """Targets, and coevolution scores that tell most contacts."""
    with row_writer(root / f"targets/files-{number:05d}.parquet", SCHEMA) as writer:
        for one in shard:
            writer.write(one.row())
    with row_writer(root / f"coevolution/files-{number:05d}.parquet", COEVOLUTION) as writer:
        for one in shard:
            scores = one.contacts * 2.0 + rng.normal(0, 0.5, len(one.contacts))
            known = {"id": one.id, "sequence_sha256": one.sequence_sha256, "length": len(one.sequence)}
            writer.write({**known, "neff": 50.0, "scores": scores})


def embed(path: Path, trunk: Trunk, sequences) -> Path:
    sequences = list(sequences)
    names = [sequence_sha256(sequence) for sequence in sequences]
    layers = tuple(range(1, trunk.layers + 1))
    contents = Contents(trunk.sha256, trunk.layers, trunk.width, layers)
    write_embeddings(path, zip(names, trunk.embed_layers(sequences, layers), strict=True), contents)
    return path


@pytest.fixture(scope="session")
def embed_sequences():
    """Writes the embeddings of sequences as a shard."""
    return embed
