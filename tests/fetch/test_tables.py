"""Labelled tables and sequences, row by row."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.settings import ColumnsSettings
from foldgraft.fetch.tables import Label, count_rows, letters, merged, read_labels, subsample, tabbed


def test_a_table_under_its_own_names(tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfsid\tfasta\tpartition\tsol\na\tmkv*\t3\t1\nb\tM KL\t\t0.5\n"))
    columns = ColumnsSettings(id="sid", sequence="fasta", label="sol", fold="partition")
    assert list(read_labels(path, columns, tabbed(path.name))) == [
        Label("a", "MKV", 1.0, 3),
        Label("b", "MKL", 0.5, None),
    ]


def test_a_quoted_field_may_hold_the_separator(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('note,id,sequence,label\n"a, b",p,MKV,1\n')
    assert [row.id for row in read_labels(path, ColumnsSettings())] == ["p"]


def test_rare_letters_stay_and_j_becomes_x():
    assert letters("mkUZBOXj*", "here") == "MKUZBOXX"


def test_records_are_merged_by_id():
    assert list(merged([("a", "MKV"), ("b", "MKV"), ("a", "MKV")])) == [("a", "MKV"), ("b", "MKV")]
    with pytest.raises(FoldgraftError, match="'a' stands for two"):
        list(merged([("a", "MKV"), ("a", "MKL")]))


@given(count=st.integers(0, 50), limit=st.integers(1, 60), seed=st.integers(0, 5))
def test_a_subsample_keeps_order_and_grows_by_addition(count, limit, seed):
    items = [(f"p{k}", k) for k in range(count)]
    few = subsample(items, limit, seed)
    assert len(few) == min(limit, count)
    assert few == sorted(few, key=lambda item: item[1])
    assert set(few) <= set(subsample(items, limit + 1, seed))


def test_the_seed_decides_the_subsample():
    items = [(f"p{k}",) for k in range(100)]
    assert subsample(items, 10, 1) == subsample(items, 10, 1) != subsample(items, 10, 2)


def test_damaged_gzip_is_told_of(tmp_path):
    raw = bytearray(gzip.compress(b"id,sequence,label\n" + b"".join(b"p%d,MKV,1\n" % n for n in range(999))))
    raw[40:60] = b"\xff" * 20
    (tmp_path / "t.csv.gz").write_bytes(raw)
    with pytest.raises(FoldgraftError, match=r"t\.csv\.gz: cannot be read as a table"):
        count_rows(tmp_path / "t.csv.gz")
