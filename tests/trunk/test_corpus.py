"""What is learnt from: cleaned, unique, away from the test split."""

import tempfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.records import index, split
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.trunk.pretraining.corpus import Corpus, divide, near, read_unique
from foldgraft.trunk.pretraining.corpus import test_sequences as sequences_of_test_split
from label_tables import write_labels

LETTERS = list("ACDEFGHIKLMNPQRSTVWY")


def random_sequence(seed: int, length: int = 120) -> str:
    return "".join(np.random.default_rng(seed).choice(LETTERS, length))


def mutated(sequence: str, fraction: float) -> str:
    """Every so many-th letter replaced by the next in the alphabet, so that the identity is known."""
    count = round(fraction * len(sequence))
    places = set(np.linspace(0, len(sequence) - 1, count).round().astype(int))
    following = dict(zip(LETTERS, LETTERS[1:] + LETTERS[:1], strict=True))
    return "".join(following[c] if number in places else c for number, c in enumerate(sequence))


def test_sequences_are_cleaned_and_unique(tmp_path):
    path = tmp_path / "s.fasta.gz"
    write_fasta(path, [("a", "mktay"), ("b", "MKTAY*"), ("c", "MK-T.AY"), ("d", "MKJAY"), ("e", "MKUAY")])
    found = read_unique(path)
    assert set(found.values()) == {"MKTAY", "MKXAY", "MKUAY"}
    assert list(found) == sorted(found) and all(sequence_sha256(value) == name for name, value in found.items())


def test_test_split_is_found_in_both_tables(tmp_path):
    chain, label, other = (random_sequence(seed, 30) for seed in range(3))
    common = {"set": "labels", "cluster": 1, "fold": 0}
    rows = [
        {"id": "a", "sequence_sha256": sequence_sha256(chain), "split": "test", **common},
        {"id": "b", "sequence_sha256": sequence_sha256(label), "split": "test", **common},
        {"id": "c", "sequence_sha256": sequence_sha256(other), "split": "train", **common},
    ]
    write_frame(tmp_path / "split.parquet", pd.DataFrame(rows), split.SPLIT)
    row = {"id": "a", "entry": "a", "length": 30, "resolved_fraction": 1.0, "shard": "files-00000"}
    row |= {"released": None, "organism": None}
    chains = [{**row, "sequence": s, "sequence_sha256": sequence_sha256(s)} for s in (chain, other)]
    write_frame(tmp_path / "index.parquet", pd.DataFrame(chains), index.SCHEMA)
    labelled = [{"id": "b", "sequence": label, "sequence_sha256": sequence_sha256(label), "label": 1.0, "fold": 0}]
    write_labels(tmp_path / "labels-00000.parquet", pd.DataFrame(labelled))
    paths = tmp_path / "split.parquet", [tmp_path / "index.parquet"], [tmp_path / "labels-00000.parquet"]
    assert sequences_of_test_split(*paths) == {chain, label}
    assert sequences_of_test_split(*paths, ["labels"]) == {chain, label, other}
    assert sequences_of_test_split(*paths, ["structures"]) == {chain, label}
    with pytest.raises(FoldgraftError, match="1 test proteins are in none of the tables"):
        sequences_of_test_split(paths[0], paths[1], [])


def test_relatives_of_test_proteins_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/none")  # often too small: what is searched is beside the output
    test = random_sequence(0)
    sequences = {
        "same": test,
        "close": mutated(test, 0.3),
        "fragment": mutated(test[30:90], 0.2),
        "longer": random_sequence(5, 200) + mutated(test, 0.2),
        "partly": test[:25] + random_sequence(6, 100),
        "distant": mutated(test, 0.65),
        "stranger": random_sequence(7),
    }
    assert near(sequences, {test}, 0.5, 0.5, tmp_path / "out") == {"same", "close", "fragment", "longer"}
    assert not any(tmp_path.iterdir())


def test_nothing_is_near_without_test_proteins_or_letters_enough(tmp_path):
    out = tmp_path / "out"
    assert near({"a": "MKT"}, set(), 0.5, 0.5, out) == set()
    assert near({"a": "MKT"}, {"MKT"}, 0.5, 0.5, out) == {"a"}
    assert near({"a": "MKT", "b": "MKV"}, {"MKT"}, 0.5, 0.5, out) == {"a"}


def test_division_is_by_digest_and_needs_two():
    sequences = {sequence_sha256(s): s for s in (random_sequence(seed, 40) for seed in range(50))}
    train, valid = divide(sequences, 200)
    assert (len(train), len(valid)) == (45, 5)
    again = divide(dict(reversed(sequences.items())), 200)
    assert (again[0].tokens == train.tokens).all() and (again[1].tokens == valid.tokens).all()
    assert len(divide(sequences, 2)[1]) == 2
    with pytest.raises(FoldgraftError, match="1 sequences are left"):
        divide({"a": "MKT"}, 200)


def test_what_is_held_back_is_not_learnt_from():
    sequences = {sequence_sha256(s): s for s in (random_sequence(seed, 40) for seed in range(50))}
    names = sorted(sequences)
    held = {name: sequences[name] for name in names[10:15]} | {sequence_sha256("MKT"): "MKT"}
    train, valid = divide(sequences, 4, held)
    assert (len(train), len(valid)) == (45, 4)


@given(st.lists(st.text(alphabet.LETTERS, min_size=1, max_size=30), min_size=1, max_size=10))
def test_a_corpus_gives_back_its_sequences(sequences):
    corpus = Corpus.of(sequences)
    texts = ["".join(alphabet.TOKENS[token] for token in corpus[number]) for number in range(len(corpus))]
    assert texts == sequences
    assert corpus.frequencies().sum() == pytest.approx(1)
    assert corpus.sha256() == Corpus.of(sequences).sha256() != Corpus.of([*sequences, "M"]).sha256()
