"""Prediction from a FASTA file to its table and maps, through the commands."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.models.features import collate, letters
from foldgraft.models.head_file import load_head
from foldgraft.models.heads import HEADS
from foldgraft.models.trunk.fingerprint import Identity
from foldgraft.predict.command import app
from foldgraft.predict.contacts import SCHEMA
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents, Embeddings
from foldgraft.records.files import file_sha256, read_json, sequence_sha256, write_json
from foldgraft.records.pairs import unpack
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import read_frame

SEQUENCES = {"a": "MKTAYIAKQRQISFVKSHFSRQ", "b": "GSHMLEDPVDAFWWKRTCYN", "c": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPIL"}


def call(folder, command, heads, text=None, **outputs):
    fasta = folder.path / "new.fasta"
    fasta.write_text(text or "".join(f">{name}\n{sequence}\n" for name, sequence in SEQUENCES.items()))
    words = [f"--fasta={fasta}", f"--trunk={folder.weights}", f"--description={folder.description}"]
    words += [f"--head={head}" for head in heads] + [f"--{name}={path}" for name, path in outputs.items()]
    result = CliRunner().invoke(app, [command, *words])
    if result.exception:
        raise result.exception


def table(folder, heads, text=None, **options):
    path = folder.path / "out.csv"
    call(folder, "sequences", heads, text, predictions=path, **options)
    return pd.read_csv(path, dtype={"id": str})


@pytest.mark.parametrize(("name", "precision"), [*((name, "float32") for name in HEADS), ("mlp", "bfloat16")])
def test_predictions_are_those_from_cached_embeddings(folder, name, precision):
    """What training reads from the embed stage's files, prediction computes itself; both must agree."""
    trunk, head = folder.trunk(), folder.solubility_head(name)
    trunk.precision = getattr(torch, precision)
    names = [sequence_sha256(sequence) for sequence in SEQUENCES.values()]
    cache = folder.path / "cache.safetensors"
    contents = Contents(trunk.sha256, trunk.layers, trunk.width, (trunk.layers,))
    embedded = trunk.embed_layers(list(SEQUENCES.values()), [trunk.layers])
    write_embeddings(cache, zip(names, embedded, strict=True), contents)
    cached, trained = Embeddings([cache]), load_head(head)
    read = {
        "pooled": lambda name: cached.pooled([name])[0, -1],
        "residue": lambda name: cached.residues(name)[:, -1],
        "letters": lambda name: letters(list(SEQUENCES.values())[names.index(name)]),
    }[HEADS[name].reads]
    found = table(folder, [head], precision=precision).set_index("id")
    for protein, key in zip(SEQUENCES, names, strict=True):
        with torch.no_grad():
            each = [
                torch.sigmoid(member(*collate([read(key)])) / about.temperature).item()
                for member, about in zip(trained.members, trained.info.members, strict=True)
            ]
        expected = [np.mean(each), min(each), max(each)]
        assert found.loc[protein, ["solubility", "solubility_low", "solubility_high"]].tolist() == pytest.approx(
            expected, abs=2e-6
        )


def test_rejected_records_have_a_reason_and_no_numbers(folder):
    text = ">a\nMKTAYIAKQRQISFVKSHFSRQ\n>tiny\nMK\n>odd\nMKTAY1AKQRQISF\n>=cmd\nMKTAYIAKQRQISF\n"
    found = table(folder, [folder.solubility_head("mlp")], text)
    assert list(found.columns) == ["id", "length", "solubility", "solubility_low", "solubility_high", "reason"]
    assert found["id"].tolist() == ["a", "tiny", "odd", "record:4"]
    assert found["length"].tolist() == [22, 2, 14, 14]
    assert found["solubility"].isna().tolist() == found["solubility_high"].isna().tolist() == [False, True, True, True]
    assert found["reason"].isna().tolist() == [True, False, False, False]


def test_a_file_with_nothing_to_predict_is_a_table_of_reasons(folder):
    assert len(table(folder, [folder.solubility_head("light_attention")], ">a\nMK\n>b\nM\n")) == 2


def test_several_experiments_have_columns_by_name(folder):
    heads = [folder.solubility_head("mlp", name="first"), folder.solubility_head("cnn_from_scratch", name="second")]
    both = table(folder, heads)
    assert [c for c in both.columns if not c.endswith(("low", "high"))] == ["id", "length", "first", "second", "reason"]
    alone = table(folder, heads[:1])
    assert (both["first"] == alone["solubility"]).all()


def test_the_order_of_the_file_does_not_matter(folder):
    head = folder.solubility_head("light_attention")
    turned = "".join(f">{name}\n{SEQUENCES[name]}\n" for name in reversed(SEQUENCES))
    first, second = table(folder, [head]), table(folder, [head], turned)
    assert second["id"].tolist() == list(reversed(SEQUENCES))
    values = [frame.set_index("id").sort_index()["solubility"] for frame in (first, second)]
    assert np.allclose(*values, atol=2e-6)


@pytest.mark.parametrize(
    ("head", "features"),
    [("logistic", ["attention", "separation"]), ("pair", ["attention", "separation", "embedding"])],
)
def test_contact_maps(folder, head, features):
    out, rejects = folder.path / "maps.parquet", folder.path / "rejects.csv"
    text = ">a\nMKTAYIAKQRQISFVKSHFSRQ\n>tiny\nMK\n"
    call(folder, "contacts", [folder.contact_head(head, features)], text, predictions=out, rejects=rejects)
    found = read_frame(out, SCHEMA)
    assert found["id"].tolist() == ["a"] and found["experiment"].tolist() == [head]
    matrix = unpack(np.array(found["scores"][0]), 22)
    near = np.abs(np.subtract.outer(np.arange(22), np.arange(22))) < 6
    assert not matrix[near].any() and ((matrix[~near] > 0) & (matrix[~near] < 1)).all()
    assert read_rejects(rejects)["id"].tolist() == ["tiny"]


def test_a_trunk_in_another_precision_serves_as_well(folder):
    head = folder.solubility_head("linear")
    known = folder.trunk()
    save_file({name: tensor.half() for name, tensor in known.network.state_dict().items()}, folder.weights)
    about = read_json(folder.description) | {"sha256": file_sha256(folder.weights), "name": "half"}
    write_json(folder.description, about)
    assert folder.trunk().sha256 != known.sha256
    assert np.isfinite(table(folder, [head])["solubility"][0])


def test_heads_that_cannot_serve_are_named(folder):
    mlp, contact = folder.solubility_head("mlp"), folder.contact_head("logistic", ["attention", "coevolution"])
    rows = np.random.default_rng(0).normal(size=folder.trunk().fingerprint.shape)
    another = Identity(name="another", sha256="1" * 64, fingerprint=rows.tolist())
    other = folder.solubility_head("linear", trunk=another)
    twin = folder.solubility_head("cnn_from_scratch", name="mlp2")
    maps = {"predictions": folder.path / "m", "rejects": folder.path / "r"}
    for heads, message in (
        ([contact], "predicts contact, not solubility"),
        ([other], "linear was trained on the trunk another, and small is another: its embeddings"),
        ([mlp, mlp], "another head given is of an experiment named mlp"),
    ):
        with pytest.raises(FoldgraftError, match=message):
            table(folder, heads)
    with pytest.raises(FoldgraftError, match="needs an alignment"):
        call(folder, "contacts", [contact], **maps)
    with pytest.raises(FoldgraftError, match="predicts solubility, not contact"):
        call(folder, "contacts", [twin], **maps)
    assert not (folder.path / "m").exists()
