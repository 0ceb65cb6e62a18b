"""Contacts of one protein from its alignment."""

import inspect

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.predict.command import app
from foldgraft.predict.settings import RESERVED
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


def test_maps_are_written_as_others_read_them(alignment, tmp_path, folder):
    head = folder.head("contact", {"name": "logistic"}, ["attention"], layers=(), name="alone")
    given = ("--alignment", alignment, "--trunk", folder.weights, "--description", folder.description, "--head", head)
    files = {name: tmp_path / f"T0001.{name}" for name in ("csv", "rr", "npz")}
    call(*given, "--output-pairs", files["csv"], "--output-rr", files["rr"], "--output-npz", files["npz"])
    table = pd.read_csv(files["csv"])
    lines = files["rr"].read_text().splitlines()
    sequence = alignment.read_text().splitlines()[0]
    assert lines[:2] == ["PFRMAT RR", "TARGET T0001"] and lines[4:6] == ["MODEL 1", sequence] and lines[-1] == "END"
    pairs = [line.split() for line in lines[6:-1]]
    assert [(int(i), int(j)) for i, j, *_ in pairs] == list(zip(table["i"], table["j"], strict=True))
    assert {(low, high) for _, _, low, high, _ in pairs} == {("0", "8")}
    assert [float(p) for *_, p in pairs] == pytest.approx(table["alone"].tolist(), abs=1e-5)
    with np.load(files["npz"]) as arrays:
        assert str(arrays["sequence"]) == sequence and set(arrays.files) == {"sequence", "coevolution", "alone"}
        assert arrays["alone"].shape == (LENGTH, LENGTH) and np.allclose(arrays["alone"], arrays["alone"].T)
        chosen = arrays["alone"][table["i"] - 1, table["j"] - 1]
    assert chosen == pytest.approx(table["alone"].to_numpy(), abs=1e-5)


def test_coevolution_alone_has_no_probabilities_to_write(alignment, tmp_path):
    with pytest.raises(FoldgraftError, match="no probabilities"):
        call("--alignment", alignment, "--output-pairs", tmp_path / "p.csv", "--output-rr", tmp_path / "p.rr")


def test_pairs_may_go_to_standard_output_and_pictures_may_not(alignment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = call("--alignment", alignment, "--output-pairs", "-").stdout
    call("--alignment", alignment, "--output-pairs", "p.csv")
    assert printed == (tmp_path / "p.csv").read_text()
    for option, said in (("--output-map", "nothing for standard output"), ("--output-rr", "only one of")):
        with pytest.raises(FoldgraftError, match=said):
            call("--alignment", alignment, "--output-pairs", "-", option, "-")
    assert not (tmp_path / "-").exists()


def test_rows_that_are_not_read_are_told(alignment, tmp_path):
    rows = alignment.read_text()
    (tmp_path / "a.aln").write_text(f"{rows}{rows.splitlines()[0][:-2]}\n")
    said = call("--alignment", tmp_path / "a.aln", "--output-pairs", tmp_path / "p.csv").stderr
    assert "left out of the alignment: 1 row (of another length)\n" in said
    assert "left out" not in call("--alignment", alignment, "--output-pairs", tmp_path / "p.csv").stderr


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
        (
            ">a\nACDEFGHIKLMNP\n>b\nACDEF\n>c\nMKT\n",
            None,
            r"of 3 rows none is kept beside the query, 2 rows \(of another length\) left out",
        ),
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


@pytest.mark.parametrize("name", ["coevolution", "trunk", "sequence", "file", "rank"])
def test_a_head_cannot_bear_the_name_of_a_column_or_array(alignment, tmp_path, folder, name):
    head = folder.head("contact", {"name": "logistic"}, ["attention"], layers=(), name=name)
    given = ("--alignment", alignment, "--trunk", folder.weights, "--description", folder.description, "--head", head)
    with pytest.raises(FoldgraftError, match=f"the experiment's name {name} is taken"):
        call(*given, "--output-pairs", tmp_path / "p.csv", "--output-npz", tmp_path / "p.npz")
    assert not (tmp_path / "p.csv").exists()


def test_every_other_column_and_array_is_reserved(alignment, tmp_path):
    call("--alignment", alignment, "--output-pairs", tmp_path / "p.csv", "--output-npz", tmp_path / "p.npz")
    arguments = set(inspect.signature(np.savez_compressed).parameters) - {"args", "kwds"}
    with np.load(tmp_path / "p.npz") as arrays:
        assert {*pd.read_csv(tmp_path / "p.csv").columns, *arrays.files, *arguments, "trunk"} == set(RESERVED)
