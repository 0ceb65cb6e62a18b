"""Tables of rejects."""

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records.rejects import COLUMNS, read_rejects, write_rejects


def test_rejects_are_read_as_written_all_as_text(tmp_path):
    rows = [
        ("1abc", "min_length", "7", "shorter than 20 residues"),
        ("NA", "resolution", "", 'a reason, with "quotes"\nand a line break'),
    ]
    write_rejects(tmp_path / "x.csv", iter(rows))
    table = read_rejects(tmp_path / "x.csv")
    assert list(table.columns) == COLUMNS
    assert [tuple(row) for row in table.to_numpy()] == rows


def test_a_carriage_return_out_of_a_file_does_not_tear_a_row(tmp_path):
    write_rejects(tmp_path / "x.csv", [("1abc", "methods", "X-RAY\rDIFFRACTION", "not wanted")])
    assert read_rejects(tmp_path / "x.csv").values.tolist() == [["1abc", "methods", "X-RAY DIFFRACTION", "not wanted"]]


def test_no_rejects_are_a_table_with_a_header(tmp_path):
    write_rejects(tmp_path / "x.csv", [])
    assert read_rejects(tmp_path / "x.csv").empty
    assert (tmp_path / "x.csv").read_text() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_table_of_rejects_is_named(content, tmp_path):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=r"x\.csv: .*table of rejects"):
        read_rejects(path)
