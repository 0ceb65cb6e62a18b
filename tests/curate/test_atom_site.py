"""Cutting aligned columns gives what tokenizing gives."""

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.curate.atom_site import WANTED as READ
from foldgraft.curate.atom_site import atom_columns, integers, numbers, split_atoms
from foldgraft.curate.entry import MISSING

WANTED = [tag for tag in READ if tag != "group_pdb"]
TOKENS = st.text(st.sampled_from("ACN0123456789.-?+*'\""), min_size=1, max_size=6).filter(
    lambda token: token[0] not in "'\"" and token.lower() not in ("loop_",)
)

ROW = st.tuples(st.sampled_from(["ATOM", "HETATM"]), *[TOKENS] * len(WANTED))


def write(rows, left):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    tags = ["group_PDB", *WANTED[: len(rows[0]) - 1]]
    lines = [" ".join(v.ljust(w) if left else v.rjust(w) for v, w in zip(row, widths, strict=True)) for row in rows]
    head = ["data_x", "_cell.length_a 10", "loop_", *(f"_atom_site.{tag}" for tag in tags)]
    return "\n".join([*head, *lines, "#", "_cell.length_b 20", ""]).encode()


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(["ATOM", "HETATM"]), *[TOKENS] * len(WANTED)), min_size=1, max_size=8),
    st.booleans(),
)
def test_aligned_columns_are_the_tokens(rows, left):
    content = write(rows, left)
    table, rest = split_atoms(content)
    block = gemmi.cif.read_string(content).sole_block()
    expected = atom_columns(block)
    assert table is not None
    assert table.models == expected.models
    for tag, column in expected.columns.items():
        assert table.columns[tag].tolist() == column.tolist()
    left_over = gemmi.cif.read_string(rest).sole_block()
    assert (left_over.find_value("_cell.length_a"), left_over.find_value("_cell.length_b")) == ("10", "20")
    assert not left_over.find_values("_atom_site.Cartn_x")


def test_anisotropic_factors_are_cut_out_too():
    table = b"loop_\n_atom_site_anisotrop.id\n_atom_site_anisotrop.U\n1 0.5\n2 0.6\n#\n"
    _, rest = split_atoms(write([("ATOM", *["1"] * len(WANTED))], True) + table + b"_cell.length_c 30\n")
    assert b"anisotrop" not in rest
    assert gemmi.cif.read_string(rest).sole_block().find_value("_cell.length_c") == "30"


@pytest.mark.parametrize(
    "body",
    [
        "ATOM 1\nATOM 10\n",  # rows of different lengths
        "ATOM  1 \nATOM 1  \n",  # a second column that overlaps the first gap
        "ATOM 'a b'\nATOM 'c d'\n",  # a quoted blank
        "ATOM\n1   \n",  # a row on two lines
        "XTOM 1\nXTOM 2\n",  # no group
        "",
    ],
)
def test_what_is_not_aligned_is_left_to_the_tokenizer(body):
    content = f"data_x\nloop_\n_atom_site.group_PDB\n_atom_site.Cartn_x\n{body}#\n".encode()
    table, rest = split_atoms(content)
    if table is not None:  # where the cut is taken, it is right
        expected = atom_columns(gemmi.cif.read_string(content).sole_block())
        assert table.columns["cartn_x"].tolist() == expected.columns["cartn_x"].tolist()
    else:
        assert rest == content


def test_numbers_survive_what_is_none():
    assert np.isnan(numbers(np.array([b"1.5", b"x", b""]))).tolist() == [False, True, True]
    assert np.isnan(numbers(np.array([b"1.234(5)", b"(5)"]))).tolist() == [False, True]
    read = integers(np.array([b"7", b".", b"-2", b"x", b"1e30", b"nan", b"2.5", b"0"])).tolist()
    assert read == [7, MISSING, -2, MISSING, MISSING, MISSING, MISSING, 0]
