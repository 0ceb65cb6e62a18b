"""Contacts of one protein from its alignment."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.predict.command import app
from foldgraft.residues import AMINO_ACIDS

LENGTH, PAIRS = 40, [(5, 30), (12, 21), (8, 36)]


@pytest.fixture(scope="module")
def alignment(tmp_path_factory):
    """600 random rows of which three pairs of columns change together; in PSICOV's format."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 20, (600, LENGTH))
    for i, j in PAIRS:
        codes[:, j] = (codes[:, i] + 7) % 20
    path = tmp_path_factory.mktemp("alignment") / "a.aln"
    path.write_text("".join("".join(AMINO_ACIDS[code] for code in row) + "\n" for row in codes))
    return path


def call(*arguments):
    done = CliRunner().invoke(app, ["contacts", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_coevolution_alone_ranks_the_planted_pairs_first(alignment, tmp_path):
    call("--alignment", alignment, "--output-pairs", tmp_path / "p.csv", "--output-map", tmp_path / "m.png")
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table.columns) == ["rank", "i", "residue_i", "j", "residue_j", "separation", "coevolution"]
    assert len(table) == (LENGTH - 6) * (LENGTH - 5) // 2 and (table["separation"] >= 6).all()
    assert sorted(zip(table["i"][:3] - 1, table["j"][:3] - 1, strict=True)) == sorted(PAIRS)
    first = alignment.read_text().splitlines()[0]
    assert all(first[i - 1] == letter for i, letter in zip(table["i"], table["residue_i"], strict=True))
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"


def test_the_trunk_and_heads_with_and_without_coevolution_stand_beside_it(alignment, tmp_path, folder):
    heads = [
        folder.head("contact", {"name": "logistic"}, ["attention"], layers=(), name="alone"),
        folder.head("contact", {"name": "logistic"}, ["attention", "coevolution"], layers=(), name="both"),
    ]
    given = ("--alignment", alignment, "--trunk", folder.weights, "--description", folder.description)
    call(*given, "--head", heads[0], "--head", heads[1], "--output-pairs", tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table.columns[6:]) == ["coevolution", "alone", "both"]
    assert (table["both"].diff().dropna() <= 0).all()
    assert table[["alone", "both"]].to_numpy().min() >= 0 and table[["alone", "both"]].to_numpy().max() <= 1
    assert np.corrcoef(table["alone"], table["both"])[0, 1] < 0.999


def test_another_row_may_be_the_protein(alignment, tmp_path):
    text = alignment.read_text().splitlines()[17]
    (tmp_path / "q.fasta").write_text(f">q\nMGHHHHHH{text}\n")
    call("--alignment", alignment, "--sequence", tmp_path / "q.fasta", "--output-pairs", tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv")
    assert sorted(zip(table["i"][:3] - 9, table["j"][:3] - 9, strict=True)) == sorted(PAIRS)


@pytest.mark.parametrize(
    ("content", "sequence", "words"),
    [
        ("ACDEFGHIKLMNPQRSTVWY\n", None, "none is kept beside the query"),
        ("", None, "is empty"),
        ("ACDEFGHIKLMNPQRSTVWY\nACDEFGHIKLMNPQRSTVWW\n", "W" * 30, "no row resembles it"),
        ("ACDEFGHIKLMNPQRSTVWY\nACDEFGHIKLMNPQRSTVWW\n", "W\n>b\nA", "2 records"),
    ],
)
def test_what_cannot_be_scored_is_said(tmp_path, content, sequence, words):
    (tmp_path / "a.aln").write_text(content)
    arguments = ["--alignment", tmp_path / "a.aln", "--output-pairs", tmp_path / "p.csv"]
    if sequence:
        (tmp_path / "q.fasta").write_text(f">a\n{sequence}\n")
        arguments += ["--sequence", tmp_path / "q.fasta"]
    with pytest.raises(FoldgraftError, match=words):
        call(*arguments)
    assert not (tmp_path / "p.csv").exists()


def test_a_head_needs_its_trunk(alignment, tmp_path, folder):
    with pytest.raises(FoldgraftError, match="--head needs --trunk"):
        call("--alignment", alignment, "--head", "h", "--output-pairs", tmp_path / "p.csv")
    with pytest.raises(FoldgraftError, match="go together"):
        call("--alignment", alignment, "--trunk", folder.weights, "--output-pairs", tmp_path / "p.csv")
