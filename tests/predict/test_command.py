"""Prediction from a FASTA file to its tables, through the command."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from scipy.stats import rankdata
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.tokens import tokens
from foldgraft.models.trunk.identity import Identity
from foldgraft.predict.command import app
from foldgraft.predict.tables import PAIRS
from foldgraft.predict.training import learnt_from
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents, Embeddings
from foldgraft.records.files import file_sha256, read_json, sequence_sha256, write_json
from foldgraft.records.pairs import unpack
from foldgraft.records.rejects import read_rejects
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_rows, write_frame
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.sequences import collate
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import Seen, Trained, load_head
from label_tables import write_labels

SEQUENCES = {"a": "MKTAYIAKQRQISFVKSHFSRQ", "b": "GSHMLEDPVDAFWWKRTCYN", "c": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPIL"}
SMALL = {"hidden": 8}
FLEXIBILITY = Task(name="flexibility", level="protein", kind="binary")
TAIL = ["rank", "warning", "reason", "description"]


def call(folder, heads, text=None, name="out.csv", **options):
    fasta, path = folder.path / "new.fasta", folder.path / name
    fasta.write_text(text or "".join(f">{name}\n{sequence}\n" for name, sequence in SEQUENCES.items()))
    words = [f"--fasta={fasta}", f"--trunk={folder.weights}", f"--description={folder.description}"]
    words += [f"--head={head}" for head in heads] + [f"--{key}={value}" for key, value in options.items()]
    words += [f"--output-predictions={path}", f"--output-rejects={folder.path / 'rejects.csv'}"]
    result = CliRunner().invoke(app, ["sequences", *words])
    if result.exception:
        raise result.exception
    return path


def table(folder, heads, text=None, **options):
    return pd.read_csv(call(folder, heads, text, **options), dtype={"id": str})


@pytest.mark.parametrize(
    ("name", "precision"),
    [("linear", "float32"), ("light_attention", "float32"), ("cnn_from_scratch", "float32"), ("mlp", "bfloat16")],
)
def test_predictions_are_those_from_cached_embeddings(folder, name, precision):
    """What training reads from the embed stage's files, prediction computes itself; both must agree."""
    trunk = folder.trunk()
    head = folder.head("solubility", {"name": name, **({} if name == "linear" else SMALL)}, layers=(1, 2))
    trunk.precision = getattr(torch, precision)
    names = [sequence_sha256(sequence) for sequence in SEQUENCES.values()]
    cache = folder.path / "cache.safetensors"
    contents = Contents(trunk.sha256, trunk.layers, trunk.width, (1, 2))
    embedded = trunk.embed_layers(list(SEQUENCES.values()), (1, 2))
    write_embeddings(cache, zip(names, embedded, strict=True), contents)
    cached, trained = Embeddings([cache]), load_head(head)
    read = {
        "pooled": lambda key: cached.pooled([key])[0].ravel(),
        "residues": lambda key: cached.residues(key).reshape(-1, 48),
        "tokens": lambda key: tokens(list(SEQUENCES.values())[names.index(key)]),
    }[trained.members[0].body.reads]
    found = table(folder, [head], precision=precision).set_index("id")
    for protein, key in zip(SEQUENCES, names, strict=True):
        with torch.no_grad():
            each = [
                torch.sigmoid(member(collate([read(key)]))[0] / about.calibrations[0].temperature).item()
                for member, about in zip(trained.members, trained.info.members, strict=True)
            ]
        expected = [np.mean(each), min(each), max(each)]
        assert found.loc[protein, ["solubility", "solubility_low", "solubility_high"]].tolist() == pytest.approx(
            expected, abs=2e-6
        )


def test_rejected_records_have_a_reason_and_no_numbers(folder):
    text = ">a\nMKTAYIAKQRQISFVKSHFSRQ\n>tiny\nMK\n>odd\nMKTAY1AKQRQISF\n>=cmd\nMKTAYIAKQRQISF\n"
    found = table(folder, [folder.head("solubility", {"name": "mlp", **SMALL})], text)
    assert list(found.columns) == ["id", "length", "solubility", "solubility_low", "solubility_high", *TAIL]
    assert found["id"].tolist() == ["a", "tiny", "odd", "'=cmd"]  # no formula to a spreadsheet
    assert found["length"].tolist() == [22, 2, 14, 14]
    assert found["solubility"].isna().tolist() == found["solubility_high"].isna().tolist() == [False, True, True, False]
    assert found["reason"].isna().tolist() == [True, False, False, True]
    assert read_rejects(folder.path / "rejects.csv")["id"].tolist() == ["tiny", "odd"]


def test_ranks_are_those_of_scipy(folder):
    sequences = ["MKTAYIAKQRQISF", "GSHMLEDPVDAFWW", "MKTAYIAKQRQISF", "MK", "WWWKRTCYNWAAAA"]
    text = "".join(f">p{n}\n{sequence}\n" for n, sequence in enumerate(sequences))
    found = table(folder, [folder.head("solubility", {"name": "mlp", **SMALL})], text)
    expected = rankdata(-found["solubility"], method="min", nan_policy="omit")
    assert np.array_equal(found["rank"], expected, equal_nan=True) and found["rank"].isna().tolist()[3]


def test_a_sequence_unlike_the_training_proteins_has_a_warning(folder):
    """By the embedding: the mean and deviation are those of the head, which are 0 and 1 here."""
    trunk = folder.trunk()
    pooled = [next(trunk.embed_layers([one])).pooled[-1] for one in SEQUENCES.values()]
    far = [float(np.sqrt(np.square(values.astype(np.float16).astype(float)).mean())) for values in pooled]
    limits = {"shortest": 21, "longest": 30, "methionine": 0.99, "composition": [0.05] * 20, "uneven": 2.0}
    seen = Seen(**limits, far=sorted(far)[1] + 1e-4)
    found = table(folder, [folder.head("solubility", {"name": "mlp", **SMALL}, seen=seen)]).fillna("")
    said = dict(zip(found["id"], found["warning"], strict=True))
    assert ["far from" in said[name] for name in SEQUENCES] == [value == max(far) for value in far]
    assert "shorter than the training proteins (from 21" in said["b"] and "begin with M" in said["b"]
    assert "longer than the training proteins (up to 30" in said["c"] and "begin with M" not in said["c"]
    assert "composition" not in "".join(said.values())


def test_the_nearest_protein_that_the_head_learnt_from(folder):
    """Identity by hand: five of sixty residues are changed. What tested alone, in fold 0, was not learnt from."""
    rng = np.random.default_rng(4)
    one, tested, other = ("".join(rng.choice(list(AMINO_ACIDS), 60)) for _ in range(3))
    changed = list(one)
    for place in (5, 20, 30, 41, 55):
        changed[place] = "W" if changed[place] != "W" else "C"
    proteins = pd.DataFrame({"id": ["=one", "two"], "sequence": [one, tested], "label": [1.0, 0.0], "fold": [2, 0]})
    proteins["sequence_sha256"] = proteins["sequence"].map(sequence_sha256)
    write_labels(folder.path / "solubility-00000.parquet", proteins)
    places = proteins[["id", "sequence_sha256", "fold"]].assign(set="solubility", cluster=[0, 1], split="train")
    write_frame(folder.path / "split.parquet", places, SPLIT)
    head = folder.head("solubility", {"name": "mlp", **SMALL})
    records = {
        "same": one,
        "changed": "".join(changed),
        "tested": tested,
        "other": other,
        "none": "M1",
        "short": one[:12],
    }
    text = "".join(f">{name}\n{sequence}\n" for name, sequence in records.items())
    known = {"labels": folder.path / "solubility-00000.parquet", "split": folder.path / "split.parquet"}
    found = table(folder, [head], text, **known).set_index("id").fillna("")
    assert found["nearest"].to_dict() == {name: "'=one" if name in ("same", "changed") else "" for name in records}
    assert found.loc["same", "identity"] == 1 and found.loc["changed", "identity"] == pytest.approx(55 / 60, abs=1e-3)
    assert found.loc["changed", "coverage"] > 0.9
    assert list(found.columns[-6:]) == ["nearest", "identity", "coverage", *TAIL[1:]]
    assert "fewer than 14 residues" in found.loc["short", "warning"] and "fewer" not in found.loc["same", "warning"]


def test_proteins_of_one_id_in_two_tables_are_both_found(folder):
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list(AMINO_ACIDS), 60)) for _ in range(2)]
    places, known = [], []
    for name, sequence in zip(("solubility", "flexibility"), texts, strict=True):
        proteins = pd.DataFrame({"id": ["row1"], "sequence": [sequence], "label": [1.0], "fold": [2]})
        proteins["sequence_sha256"] = proteins["sequence"].map(sequence_sha256)
        write_labels(folder.path / f"{name}-00000.parquet", proteins)
        known.append(folder.path / f"{name}-00000.parquet")
        places.append(proteins[["id", "sequence_sha256", "fold"]].assign(set=name, cluster=0, split="train"))
    write_frame(folder.path / "split.parquet", pd.concat(places), SPLIT)
    one = load_head(folder.head("solubility", {"name": "mlp", **SMALL}))
    other = Trained(one.info.model_copy(update={"tasks": [FLEXIBILITY]}), one.members)
    found = learnt_from([one, other], known, folder.path / "split.parquet")
    assert found == {texts[0]: "solubility:row1", texts[1]: "flexibility:row1"}


def test_a_file_with_nothing_to_predict_is_a_table_of_reasons(folder):
    head = folder.head("solubility", {"name": "light_attention", **SMALL})
    assert len(table(folder, [head], ">a\nMK\n>b\nM\n")) == 2


def test_several_experiments_have_columns_by_name(folder):
    heads = [
        folder.head("solubility", {"name": "mlp", **SMALL}, name="first"),
        folder.head("solubility", {"name": "cnn_from_scratch", **SMALL}, layers=(), name="second"),
    ]
    both = table(folder, heads)
    named = [column for column in both.columns if not column.endswith(("low", "high"))]
    assert named == ["id", "length", "first_solubility", "second_solubility", *TAIL]
    assert (both["first_solubility"] == table(folder, heads[:1])["solubility"]).all()


def test_the_order_of_the_file_does_not_matter(folder):
    head = folder.head("solubility", {"name": "light_attention", **SMALL})
    turned = "".join(f">{name}\n{SEQUENCES[name]}\n" for name in reversed(SEQUENCES))
    first, second = table(folder, [head]), table(folder, [head], turned)
    assert second["id"].tolist() == list(reversed(SEQUENCES))
    values = [frame.set_index("id").sort_index()["solubility"] for frame in (first, second)]
    assert np.allclose(*values, atol=2e-6)


def test_residues_have_a_row_each(folder):
    head = folder.head("ss3 torsions", {"name": "convolution", **SMALL}, layers=(1, 2))
    found = table(folder, [head], f">tiny\nMK\n>a\n{SEQUENCES['a']}\n", name="out.residues.csv")
    columns = ["id", "position", "residue", "ss3", "ss3_H", "ss3_E", "ss3_C", "phi", "psi", "warning", "reason"]
    assert list(found.columns) == columns
    (rejected,) = found[found["id"] == "tiny"].to_dict("records")
    assert rejected["reason"] == "2 residues, fewer than 10" and all(pd.isna(rejected[name]) for name in columns[1:-1])
    found = found[found["id"] == "a"]
    assert "".join(found["residue"]) == SEQUENCES["a"] and found["position"].tolist() == list(range(1, 23))
    shares = found[["ss3_H", "ss3_E", "ss3_C"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1, abs=2e-4)
    assert (shares.idxmax(axis=1).str[-1] == found["ss3"]).all() and found["phi"].between(-180, 180).all()
    assert read_rejects(folder.path / "rejects.csv")["id"].tolist() == ["tiny"]


def test_residues_of_a_peptide_of_bases_have_the_warning_of_proteins(folder):
    limits = {"shortest": 5, "longest": 90, "methionine": 0.0, "composition": [0.05] * 20, "uneven": 2.0}
    states = folder.head("ss3", {"name": "convolution", **SMALL}, seen=Seen(**limits, far=None))
    protein = folder.head("solubility", {"name": "mlp", **SMALL}, seen=Seen(**limits, far=None))
    text = f">bases\nGATTACAGATTACA\n>a\n{SEQUENCES['a']}\n"
    residues, proteins = (table(folder, [head], text).fillna("") for head in (states, protein))
    said = {name: set(rows["warning"]) for name, rows in residues.groupby("id")}
    assert said == {"bases": {"letters of DNA or RNA alone: a peptide?"}, "a": {""}}
    assert said == {name: {word} for name, word in zip(proteins["id"], proteins["warning"], strict=True)}


def test_training_proteins_are_for_tables_of_proteins(folder):
    states = folder.head("ss3", {"name": "linear"}, name="states")
    known = {"labels": folder.path / "a-00000.parquet", "split": folder.path / "split.parquet"}
    with pytest.raises(FoldgraftError, match=r"--labels: .* states predicts for each residue; leave it out"):
        table(folder, [states], **known)
    for one in known:
        with pytest.raises(FoldgraftError, match="--labels and --split go together"):
            table(folder, [states], **{one: known[one]})


@pytest.mark.parametrize(
    ("tasks", "head", "features"),
    [
        ("contact", {"name": "logistic"}, ["attention", "separation"]),
        ("distogram", {"name": "residual", "hidden": 4, "blocks": 2}, ["attention", "separation", "embedding"]),
    ],
)
def test_maps_of_pairs(folder, tasks, head, features):
    text = f">a\n{SEQUENCES['a']}\n>tiny\nMK\n"
    (found,) = read_rows(call(folder, [folder.head(tasks, head, features)], text, name="out.parquet"), PAIRS)
    assert (found["id"], found["task"], found["length"]) == ("a", tasks, 22)
    matrix = unpack(np.array(found["score"]), 22)
    near = np.abs(np.subtract.outer(np.arange(22), np.arange(22))) < 6
    assert not matrix[near].any() and ((matrix[~near] > 0) & (matrix[~near] < 1)).all()
    if tasks == "distogram":
        distance = unpack(np.array(found["distance"]), 22)
        far = ~near
        assert np.isnan(distance[near & ~np.eye(22, dtype=bool)]).all() and (distance[far] > 2).all()
    else:
        assert found["distance"] is None


def test_a_trunk_in_another_precision_serves_as_well(folder):
    head, known = folder.head("solubility", {"name": "linear"}), folder.trunk()
    save_file({name: tensor.half() for name, tensor in known.network.state_dict().items()}, folder.weights)
    about = read_json(folder.description) | {"sha256": file_sha256(folder.weights), "name": "half"}
    write_json(folder.description, about)
    assert folder.trunk().sha256 != known.sha256
    assert np.isfinite(table(folder, [head])["solubility"][0])


def test_heads_that_cannot_serve_are_named(folder):
    rows = np.random.default_rng(0).normal(size=folder.trunk().fingerprint.shape)
    another = Identity(name="another", sha256="1" * 64, fingerprint=rows.tolist())
    mlp = folder.head("solubility", {"name": "mlp", **SMALL})
    contact = folder.head("contact", {"name": "logistic"}, ["attention", "coevolution"], layers=())
    other = folder.head("solubility", {"name": "linear"}, name="other", trunk=another)
    states = folder.head("ss3", {"name": "linear"}, name="states")
    covered = folder.head("solubility", {"name": "cnn_from_scratch", **SMALL}, layers=(), name="covered")
    info = load_head(covered).info
    assert info.head.name == "cnn_from_scratch" and info.layers == []
    for heads, message in (
        ([mlp, states], "predicts for each residue, solubility for each protein"),
        ([other], "other was trained on the trunk another, and small is another: its embeddings"),
        ([mlp, mlp], "another head given is of an experiment named solubility"),
        ([contact], "needs an alignment"),
    ):
        with pytest.raises(FoldgraftError, match=message):
            table(folder, heads)
    assert not (folder.path / "out.csv").exists()
