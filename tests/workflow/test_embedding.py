"""Which embeddings a changed list of proteins makes anew: real runs of the rules on tables made by hand."""

import pandas as pd
import pytest
import torch
import yaml
from running import copy_checkout, planned, snakemake

from foldgraft.embed.shard import SCHEMA
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records import index
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.trunk.checkpoint import write_trunk
from label_tables import write_labels

CONFIG = {
    "run": "hand",
    "structures": {"files": ["structures/*.cif"]},
    "solubility": {"table": "labels.csv", "columns": {"id": "id", "sequence": "sequence", "label": "label"}},
    "fetch": {"shard_size": 1, "label_shard_size": 2},
    "trunk": {"checkpoint": "small.pt"},
}


class Run:
    """A run whose stages before embed were done by hand; a shard is a list of sequences."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results/hand"
        (folder / "structures").mkdir()
        (folder / "small.pt").write_bytes(b"\x80")
        (folder / "hand.yaml").write_text(yaml.safe_dump(CONFIG))
        torch.manual_seed(0)
        network = build_network(Architecture(1, 8, 2))
        write_trunk(self.results / "trunk/model.safetensors", self.results / "trunk/trunk.json", network, "small", {})
        self.shards, self.tables = [], 0

    def write(self, name, sequences):
        frame = pd.DataFrame({"id": [f"{name[-1]}{k}" for k in range(len(sequences))], "sequence": sequences})
        frame["sequence_sha256"] = frame["sequence"].map(sequence_sha256)
        path = self.results / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_frame(path, frame, SCHEMA)

    def labels(self, *shards):
        """Write the labelled table and its shards."""
        self.tables = len(shards)
        rows = [f"p{k}{place},{text},{place % 2}" for k, held in enumerate(shards) for place, text in enumerate(held)]
        (self.folder / "labels.csv").write_text("\n".join(["id,sequence,label", *rows, ""]))
        for number, sequences in enumerate(shards):
            self.write(f"fetch/labels/labels-{number:05d}", sequences)
            path = self.results / f"fetch/labels/labels-{number:05d}.parquet"
            frame = pd.read_parquet(path).assign(label=1.0, fold=None).astype({"fold": "Int64"})
            write_labels(path, frame)

    def chains(self, number, sequences):
        """Write a shard of chains, and the index."""
        (self.folder / f"structures/e{number}.cif").write_text("data_e\n# ALA\n")
        self.shards[number:] = [sequences, *self.shards[number + 1 :]]
        self.write(f"curate/chains/files-{number:05d}", sequences)
        rows = [(text, f"files-{k:05d}") for k, held in enumerate(self.shards) for text in held]
        frame = pd.DataFrame(rows, columns=["sequence", "shard"]).assign(entry="e", length=5, resolved_fraction=1.0)
        frame["released"] = frame["organism"] = None
        frame["id"], frame["sequence_sha256"] = "c", frame["sequence"].map(sequence_sha256)
        write_frame(self.results / "curate/index.parquet", frame, index.SCHEMA)

    def snakemake(self, *words):
        """Ask for the files of embeddings; the stage's target would name those of the stages before as well."""
        shards = [f"solubility-{k:05d}" for k in range(self.tables)] + [
            f"files-{k:05d}" for k in range(len(self.shards))
        ]
        files = [f"results/hand/embed/{shard}.safetensors" for shard in shards]
        done = snakemake(self.folder, *files, *words, "--configfile", "hand.yaml")
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    def remade(self):
        """The shards that a run embeds anew."""
        files = {path.stem: path.stat().st_mtime_ns for path in (self.results / "embed").glob("*.safetensors")}
        self.snakemake("--cores", "2")
        after = {path.stem: path.stat().st_mtime_ns for path in (self.results / "embed").glob("*.safetensors")}
        return {name for name, time in after.items() if files.get(name) != time}

    def held(self, name):
        return set(Embeddings([self.results / f"embed/{name}.safetensors"]))


def named(*sequences):
    return {sequence_sha256(text) for text in sequences}


@pytest.fixture
def run(tmp_path):
    run = Run(copy_checkout(tmp_path / "checkout"))
    run.labels(["MKVLA", "MKVLC"])
    run.chains(0, ["MKVLA", "GGGAA"])  # the first of them is labelled, too
    run.chains(1, ["GGGAA", "GGGCC"])
    return run


def test_a_sequence_is_embedded_once_and_longer_lists_redo_their_last_shards_alone(run):
    assert run.remade() == {"solubility-00000", "files-00000", "files-00001"}
    assert run.held("solubility-00000") == named("MKVLA", "MKVLC")
    assert run.held("files-00000") == named("GGGAA")
    assert run.held("files-00001") == named("GGGCC")

    run.labels(["MKVLA", "MKVLC"], ["MKVLD", "MKVLA"])
    run.chains(2, ["GGGCC", "GGGDD"])
    assert run.remade() == {"solubility-00001", "files-00002"}
    assert run.held("solubility-00001") == named("MKVLD")
    assert run.held("files-00002") == named("GGGDD")

    # The first shard loses the sequence that it had embedded for the second as well; nothing changes for the third.
    run.chains(0, ["MKVLA", "GGGEE"])
    assert run.remade() == {"files-00000", "files-00001"}
    assert run.held("files-00000") == named("GGGEE")
    assert run.held("files-00001") == named("GGGAA", "GGGCC")

    # A table that was deleted to save space is made again before it is read; the stage's target asks for it at once.
    (run.results / "curate/chains/files-00001.parquet").unlink()
    assert "curate_shard" not in planned(run.snakemake("--dry-run").stdout)
    again = planned(run.snakemake("--dry-run", "--config", "embed={max_length: 99}").stdout)
    assert {"curate_shard", "embed_shard"} <= set(again)
    stage = snakemake(run.folder, "embed", "--dry-run", "--configfile", "hand.yaml")
    assert "curate_shard" in planned(stage.stdout)

    # What a failed comparison took away is made again; until then nothing is known to be embedded.
    (run.results / "embed/repeats/labels.parquet").unlink()
    assert "embed_repeats" in planned(run.snakemake("--dry-run").stdout)
