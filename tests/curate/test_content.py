"""Bytes of a structure file before they are parsed."""

import gzip

import pytest

from foldgraft.curate.content import decompress, format_of
from foldgraft.curate.entry import UnreadableError


def test_plain_and_gzip_in_one_or_more_members():
    assert decompress(b"data_x", 6) == b"data_x"
    assert decompress(gzip.compress(b"data_x"), 6) == b"data_x"
    assert decompress(gzip.compress(b"data") + gzip.compress(b"_x"), 6) == b"data_x"


@pytest.mark.parametrize(
    "raw",
    [b"data_xy", gzip.compress(b"data_xy"), gzip.compress(b"data_") + gzip.compress(b"xy")],
    ids=["plain", "one member", "two members"],
)
def test_not_more_than_the_limit(raw):
    with pytest.raises(UnreadableError) as error:
        decompress(raw, 6)
    assert error.value.rule == "too_large"


@pytest.mark.parametrize("cut", [slice(-1), slice(-8), slice(12)])
def test_cut_gzip(cut):
    with pytest.raises(UnreadableError) as error:
        decompress(gzip.compress(b"data_x" * 100)[cut], 1000)
    assert error.value.rule == "gzip"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"data_1UBQ\n", "mmcif"),
        (b"# made by hand\n\n  DATA_x\n", "mmcif"),
        (b"ATOM      1  N   MET A   1\n", "pdb"),
        (b"HEADER    X\nREMARK data_\nHETATM    1  N   MSE A   1\n", "pdb"),
    ],
)
def test_the_format_is_seen_in_the_content(content, kind):
    assert format_of(content) == kind
