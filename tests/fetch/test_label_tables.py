"""Labelled tables of every kind, as people have them, become rows of `records.labels` or rejects with a true reason."""

import gzip
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.label_table import read_files
from foldgraft.fetch.labels import Table, fetch_labels, rows_of
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store
from foldgraft.records import labels as label_records
from foldgraft.records.label_files import count_rows
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import read_rows


def read(folder: Path, text: str | dict[str, str], **settings):
    """Rows and rejects of a table, or of several files by name, the first being the table."""
    files = text if isinstance(text, dict) else {"t.csv": text}
    for name, content in files.items():
        (folder / name).write_text(content)
    table = LabelsSettings.model_validate({"table": next(iter(files))} | settings)
    found = read_files("mine", table, folder)
    return list(rows_of(table, found)), found.rejects


def test_a_tab_separated_table_under_its_own_names(tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfsid\tfasta\tpartition\tsol\na\tmkv*\t3\t1\nb\tM KL\t\t0.5\n"))
    columns = {"id": "sid", "sequence": "fasta", "label": "sol", "fold": "partition"}
    table = LabelsSettings.model_validate({"table": "t.tsv.gz", "columns": columns})
    rows = list(rows_of(table, read_files("mine", table, tmp_path)))
    assert [(row["id"], row["sequence"], row["label"], row["fold"]) for row in rows] == [
        ("a", "MKV", 1.0, 3),
        ("b", "MKL", 0.5, None),
    ]


def test_a_quoted_field_may_hold_the_separator(tmp_path):
    rows, _ = read(tmp_path, 'note,id,sequence,label\n"a, b",p,MKV,1\n')
    assert [row["id"] for row in rows] == ["p"]


def test_semicolons_bring_decimal_commas(tmp_path):
    rows, _ = read(tmp_path, "id;sequence;label\np;MKV;0,25\n")
    assert rows[0]["label"] == 0.25


def test_sentinels_are_rejects_with_their_reason(tmp_path):
    text = "id,sequence,label\na,MKV,-999.0\nb,MKL,NA\nc,MKI,12.5\nd,MKA,\n"
    rows, rejects = read(tmp_path, text, kind="value", unit="celsius")
    assert [(row["id"], row["label"]) for row in rows] == [("c", 12.5)]
    assert [(name, rule, value) for name, rule, value, _ in rejects] == [
        ("a", "missing", "-999.0"),
        ("b", "missing", "NA"),
        ("d", "missing", ""),
    ]


@given(values=st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_replicates_are_averaged(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("t")
    text = "id,sequence,label\n" + "".join(f"a,MKV,{value!r}\n" for value in values)
    rows, _ = read(folder, text, kind="value", missing=["none"])
    assert len(rows) == 1 and rows[0]["replicates"] == len(values)
    assert rows[0]["label"] == pytest.approx(statistics.fmean(values), abs=1e-9)
    spread = statistics.pstdev(values) if len(values) > 1 else None
    assert rows[0]["spread"] == (pytest.approx(spread, abs=1e-9) if spread is not None else None)


def test_of_classes_the_commonest_replicate_counts(tmp_path):
    text = "id,sequence,label\na,MKV,nucleus\na,MKV,cytosol\na,MKV,nucleus\nb,MKL,cytosol\n"
    rows, _ = read(tmp_path, text, kind="classes")
    assert [row["label"] for row in rows] == [1.0, 0.0]  # cytosol, nucleus


def test_the_class_may_be_a_part_of_a_header(tmp_path):
    text = ">P1 Cell.membrane-M note\nMKV\nMKL\n>P2 Nucleus-U\nMKA\n>P3 Cytoplasm-Nucleus-U\nMKI\n>P4 -\nMKC\n"
    rows, rejects = read(
        tmp_path,
        {"t.fasta": text},
        kind="classes",
        columns={"label": "description"},
        pattern=r"^(.+)-[MSU]\b",
        classes=["Nucleus", "Cell.membrane"],
    )
    assert [(row["id"], row["sequence"], row["label"]) for row in rows] == [("P1", "MKVMKL", 1.0), ("P2", "MKA", 0.0)]
    assert [(name, rule) for name, rule, _, _ in rejects] == [("P3", "classes"), ("P4", "pattern")]


def test_a_key_that_stands_twice_in_a_fasta_header_is_refused_where_it_is_read(tmp_path):
    text = ">P1 label=1 note=a note=b\nMKV\n>P2 label=1 label=0\nMKA\n>P3 label=0\nMKI\n"
    with pytest.raises(FoldgraftError) as error:
        read(tmp_path, {"t.fasta": text})
    assert str(error.value).endswith(
        "t.fasta, record 2 (P2): its header has 'label' twice (columns.label); keep one of the two"
    )
    rows, _ = read(tmp_path, {"t.fasta": text.replace(" label=0\nMKA", "\nMKA")})  # of notes nothing is read
    assert [row["label"] for row in rows] == [1.0, 1.0, 0.0]
    rows, _ = read(tmp_path, {"t.fasta": text.replace("label=1 label=0", "label=0 id=x id=y sequence=A sequence=B")})
    assert [row["id"] for row in rows] == ["P1", "P2", "P3"]  # the id and the sequence are none of the keys
    joined = {"t.csv": "id,sequence,label\nP1,MKV,1\n", "more.fasta": ">P1 site=x site=y\nMKV\n"}
    with pytest.raises(FoldgraftError, match=r"more\.fasta, record 1 \(P1\): its header has 'site' twice"):
        read(tmp_path, joined, join={"more": "more.fasta"}, columns={"group": "more.site"})


def test_values_per_residue_with_a_sentinel_and_a_published_split(tmp_path):
    text = ">x SET=train TARGET=999.0;0.5;-1\nMKV\n>y SET=val TARGET=1;2\nMK\n>z SET=test TARGET=999;999\nMK\n"
    rows, rejects = read(
        tmp_path,
        {"t.fasta": text},
        level="residue",
        kind="value",
        missing=["999"],
        columns={"label": "TARGET", "split": "SET"},
    )
    assert [(row["id"], row["split"]) for row in rows] == [("x", "train"), ("y", "valid")]
    np.testing.assert_array_equal(rows[0]["residues"], np.float32([np.nan, 0.5, -1]))
    assert rows[0]["label"] is None
    assert rejects == [("z", "missing", "", "no residue of it has a label")]


def test_letters_per_residue_with_sequences_and_mask_in_other_files(tmp_path):
    files = {
        "states.fasta": ">a SET=train\nHHE\n>b SET=train\nC-C\n>c SET=train\nHHH\n",
        "sequences.fasta": ">a\nMKV\n>b\nMKL\n",
        "mask.fasta": ">a\n011\n>b\n111\n>c\n111\n",
    }
    rows, rejects = read(
        tmp_path,
        files,
        level="residue",
        kind="classes",
        join={"proteins": "sequences.fasta", "counted": "mask.fasta"},
        columns={"label": "sequence", "sequence": "proteins.sequence", "mask": "counted.sequence"},
    )
    assert [row["sequence"] for row in rows] == ["MKV", "MKL"]
    np.testing.assert_array_equal(rows[0]["residues"], np.float32([np.nan, 2, 1]))  # of C, E, H
    assert rejects == [("c", "join", "proteins", "sequences.fasta has no row of this id")]


def test_letters_between_blanks_and_rows_without_ids(tmp_path):
    text = "input, dssp3, mask\nM K V,C H H,1.0 0.0 1.0\nM K,E E,1 1\n"
    columns = {"id": None, "sequence": "input", "label": "dssp3", "mask": "mask"}
    rows, _ = read(tmp_path, text, level="residue", kind="classes", columns=columns)
    assert [(row["id"], row["sequence"]) for row in rows] == [("row1", "MKV"), ("row2", "MK")]
    np.testing.assert_array_equal(rows[0]["residues"], np.float32([0, np.nan, 2]))


def test_a_group_may_be_a_part_of_its_column(tmp_path):
    text = "id,sequence,label\nHs001,MKVA,0\nTm7,MKVC,1\n9,MKVD,1\n"
    rows, _ = read(tmp_path, text, columns={"group": "id"}, group_pattern="^([A-Z][a-z])")
    assert [(row["id"], row["group"]) for row in rows] == [("Hs001", "Hs"), ("Tm7", "Tm"), ("9", None)]


def test_three_lines_a_record(tmp_path):
    text = ">a\nMKV\n010\n>b\nMK\n11\n"
    columns = {"sequence": "line1", "label": "line2"}
    rows, _ = read(tmp_path, {"t.fasta": text}, level="residue", columns=columns)
    assert [row["residues"].tolist() for row in rows] == [[0, 1, 0], [1, 1]]


def test_covariates_join_by_id(tmp_path):
    files = {"t.csv": "sid,sequence,label\na,MKV,1\nb,MKL,0\n", "v.csv": "sid,vector\nb,pET15\na,pET21\n"}
    rows, _ = read(tmp_path, files, join={"vectors": "v.csv"}, columns={"id": "sid", "covariates": ["vectors.vector"]})
    assert [row["covariates"] for row in rows] == [["pET21"], ["pET15"]]


def test_a_test_table_keeps_what_both_hold(tmp_path):
    files = {"t.csv": "id,sequence,label\na,MKV,1\nb,MKL,0\n", "test.csv": "id,sequence,label\nb,MKL,0.5\n"}
    rows, rejects = read(tmp_path, files, test_table="test.csv")
    assert [(row["id"], row["label"], row["split"]) for row in rows] == [("b", 0.5, "test"), ("a", 1, "train")]
    assert rejects[0][:2] == ("b", "test_table")


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (
            "id,sequence,label\na,MKV,HH\n",
            {"level": "residue", "kind": "classes"},
            r"\(a\): 2 labels for .* 3 residues",
        ),
        ("id,sequence,label\na,MKV,x\n", {"kind": "value"}, r"row 2 \(a\): the label 'x' is no number"),
        ("id,sequence,label\na,MKV,x\nb,MKL,x\n", {"kind": "classes"}, "1 classes occur"),
        (
            "id,sequence,label,s\na,MKV,1,dev2\n",
            {"columns": {"split": "s"}},
            "the split 'dev2' is none of",
        ),
        ("sequence,label\nMKV,1\n", {}, "no column 'id'; .* set it to null to number the rows"),
        ("id,sequence,label\na,MKV,1\n", {"columns": {"covariates": ["ph"]}}, r"columns\.covariates\.0: .*'ph'"),
        ("PK\x03\x04", {}, r"it is a workbook \(xlsx, ods\) or an archive; save the table as CSV"),
        ("id,sequence,label,m\na,MKV,010,21\n", {"level": "residue", "columns": {"mask": "m"}}, "the mask '21'"),
    ],
)
def test_bad_tables_are_one_clear_line(tmp_path, text, settings, message):
    with pytest.raises(FoldgraftError, match=message):
        read(tmp_path, text, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": "("}, "it is no regular expression"),
        ({"pattern": "abc"}, "it needs a group"),
        ({"group_pattern": "(a)"}, "group_pattern: it needs columns.group"),
        ({"classes": ["a", "b"]}, "it needs kind: classes"),
        ({"unit": "celsius"}, "it needs kind: value"),
        ({"columns": {"fold": "f", "split": "s"}}, "not both"),
        ({"columns": {"mask": "m"}}, "it needs level: residue"),
        ({"test_table": "u.csv", "columns": {"split": "s"}}, "remove one side"),
    ],
)
def test_settings_that_contradict_each_other(settings, message):
    with pytest.raises(ValidationError, match=message):
        LabelsSettings.model_validate({"table": "t.csv"} | settings)


def test_damaged_gzip_is_told_of(tmp_path):
    raw = bytearray(gzip.compress(b"id,sequence,label\n" + b"".join(b"p%d,MKV,1\n" % n for n in range(999))))
    raw[40:60] = b"\xff" * 20
    (tmp_path / "t.csv.gz").write_bytes(raw)
    with pytest.raises(FoldgraftError, match=r"t\.csv\.gz: cannot be read as a table"):
        count_rows(tmp_path / "t.csv.gz")


def test_shards_carry_what_the_labels_mean(tmp_path):
    (tmp_path / "t.csv").write_text(
        "id,sequence,label\n" + "".join(f"p{k},MK{'V' * k},{'ab'[k % 2]}\n" for k in range(5))
    )
    origin = Origin(tmp_path, Store(tmp_path), FetchSettings(label_shard_size=3))
    table = Table("mine", LabelsSettings(table="t.csv", kind="classes", missing=["b"]), origin)
    with pytest.raises(FoldgraftError, match="1 classes occur"):
        fetch_labels("mine-00000", table, tmp_path / "x.parquet", tmp_path / "r.csv")
    table = Table("mine", LabelsSettings(table="t.csv", kind="classes"), origin)
    paths = [tmp_path / f"mine-{number:05d}.parquet" for number in range(2)]
    for path in paths:
        fetch_labels(path.stem, table, path, tmp_path / "r.csv")
    assert label_records.read_description(paths).classes == ("a", "b")
    rows = [row for path in paths for row in read_rows(path, label_records.SCHEMA)]
    assert [row["id"] for row in rows] == [f"p{k}" for k in range(5)]
    assert [row["label"] for row in rows] == [0, 1, 0, 1, 0]
    assert read_rejects(tmp_path / "r.csv").empty and not math.isnan(rows[0]["label"])


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "settings", "proteins", "rejected"),
    [
        (
            "ss3",
            {
                "table": "labels/flip_ss3_sampled.fasta.gz",
                "join": {"p": "labels/flip_ss3_sequences.fasta.gz", "m": "labels/flip_ss3_mask.fasta.gz"},
                "columns": {"label": "sequence", "sequence": "p.sequence", "mask": "m.sequence", "split": "SET"},
                "level": "residue",
                "kind": "classes",
            },
            11_156,
            0,
        ),
        (
            "disorder",
            {
                "table": "labels/disorder_chezod.fasta.gz",
                "columns": {"label": "TARGET", "split": "SET"},
                "level": "residue",
                "kind": "value",
                "missing": ["999"],
            },
            1_285,
            0,
        ),
        (
            "gb1",
            {
                "table": "labels/flip_gb1_two_vs_rest.csv.gz",
                "columns": {"id": None, "label": "target", "split": "set"},
                "kind": "value",
            },
            8_733,
            0,
        ),
        (
            "cb513",
            {
                "table": "labels/cb513.csv.gz",
                "columns": {"id": None, "sequence": "input", "label": "dssp3", "mask": "cb513_mask"},
                "level": "residue",
                "kind": "classes",
            },
            509,
            2,
        ),
    ],
)
def test_real_tables(real_data, name, settings, proteins, rejected):
    found = read_files(name, LabelsSettings.model_validate(settings), real_data)
    assert (len(found.proteins), len(found.rejects)) == (proteins, rejected)


JOIN = {"join": {"other": "o.csv"}, "columns": {"sequence": "other.sequence"}}


@pytest.mark.parametrize(
    ("text", "other", "words"),
    [
        (
            "id,label\na,1\n",
            "id,sequence\na,MKV\nb,MKL\na,MKI\n",
            r"labels\.mine\.join: .*o\.csv, row 4: the id 'a' has",
        ),
        (
            "id,label\na,1\n",
            "id,sequence,sequence\na,MKV,MKL\n",
            r"columns\.sequence: .* two columns named 'other\.seq",
        ),
        ("id,label\na,1\n", "id,id,sequence\na,b,MKV\n", r"labels\.mine\.join: .*o\.csv has two columns named 'id'"),
        ("id,label,label\na,1,0\n", "id,sequence\na,MKV\n", r"columns\.label: .*t\.csv has two columns named 'label'"),
    ],
)
def test_what_is_there_twice_is_refused(tmp_path, text, other, words):
    with pytest.raises(FoldgraftError, match=words):
        read(tmp_path, {"t.csv": text, "o.csv": other}, **JOIN)


def test_columns_that_nobody_reads_may_share_a_name(tmp_path):
    rows, _ = read(tmp_path, "id,sequence,label,note,note,,\na,MKV,1,x,y,,\n")
    assert [row["label"] for row in rows] == [1]


def test_digits_parted_by_underscores_are_no_number(tmp_path):
    with pytest.raises(FoldgraftError, match="the label '1_0' is no number"):
        read(tmp_path, "id,sequence,label\na,MKV,1_0\n", kind="value")


def test_a_row_of_dna_among_proteins_is_a_reject_and_a_peptide_is_none(tmp_path):
    rows, rejects = read(tmp_path, f"id,sequence,label\na,MKV,1\nb,{'GATC' * 16},1\nc,GACT,0\nd,MKL,0\n")
    assert [row["sequence"] for row in rows] == ["MKV", "GACT", "MKL"]
    assert rejects == [("b", "sequence", "GATC" * 15, "letters of DNA or RNA alone; translate it first")]
