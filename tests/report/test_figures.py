"""The figures of the page one by one."""

import html
import re

import numpy as np
import pytest

from foldgraft.report.figures import named, write_figures
from foldgraft.report.page import Figure, Fold, Heading, Section, render
from foldgraft.report.settings import ReportSettings
from foldgraft.report.structures import _beyond
from foldgraft.report.whole import made

PATTERN = re.compile(r"[a-z0-9-]+/[a-z0-9-]+/[0-9]+[.][a-z0-9-]+[.]html")
"""That of workflow/rules/report.smk, by which Snakemake finds them."""


def test_every_figure_of_the_page_is_a_file_with_its_caption(run_folder, tmp_path, made_up):
    page = made(run_folder, None, ReportSettings())
    (tmp_path / "data/data").mkdir(parents=True)
    (tmp_path / "data/data/9.of-an-earlier-page.html").write_text("")
    write_figures(page.sections, tmp_path)
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.*")}
    assert all(PATTERN.fullmatch(name) for name in files)
    captions = re.findall(r"<figcaption>.*?</figcaption>", render(page), re.DOTALL)
    assert sorted(re.search(r"<figcaption>.*?</figcaption>", text, re.DOTALL)[0] for text in files.values()) == sorted(
        captions
    )
    for text in files.values():
        assert "<svg" in text and "<script" not in text and made_up.HOSTILE not in text
        assert not re.search(r"(src|href)=\"(?!#|data:)", text) and "default-src 'none'" in text
    assert {name.partition("/")[0] for name in files} >= {"proteins", "residues", "residue-pairs", "structures", "data"}


def test_files_that_are_no_figures_stay(tmp_path):
    (tmp_path / "data/data").mkdir(parents=True)
    for name in ("1.a-figure.html", "index.html", "1.notes.txt"):
        (tmp_path / "data/data" / name).write_text("")
    write_figures([], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*/*/*")) == ["1.notes.txt", "index.html"]


def test_names_tell_chapter_heading_and_what_is_shown_and_hold_nothing_else():
    figure = Figure("", "", 'ROC of "/<a>": much', "", "")
    blocks = [Heading("x y", "x"), Fold("more", [figure]), Heading("Where?", "w", 4), figure, figure]
    assert [name for name, _ in named([Section("s", "A chapter", blocks)])] == [
        "a-chapter/x-y/1.roc-of-a.html",
        "a-chapter/x-y-where/1.roc-of-a.html",
        "a-chapter/x-y-where/2.roc-of-a.html",
    ]


@pytest.mark.parametrize(
    ("values", "ends"), [([0, 1], "neither"), ([0, 2], "max"), ([-1, 1], "min"), ([-1, 9, np.nan], "both")]
)
def test_a_scale_ends_in_a_point_where_values_lie_beyond_it(values, ends):
    assert _beyond(np.array(values, dtype=float), vmin=0, vmax=1) == ends


def test_on_paper_the_ends_of_the_scales_are_told(run_folder):
    text = html.unescape(render(made(run_folder, None, ReportSettings())))
    assert "distances over 40 Å, coevolution below 0 and above its 99.7th percentile" in text
