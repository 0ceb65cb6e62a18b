"""The page printed by a real browser: whole, with the verdicts where they are looked for."""

import subprocess
from unicodedata import normalize

import pytest
from pdfminer.high_level import extract_pages, extract_text
from pdfminer.layout import LTTextContainer

from foldgraft.report.run import Run
from foldgraft.report.settings import ReportSettings
from foldgraft.report.verdicts import answer
from foldgraft.report.whole import page


@pytest.fixture(scope="module")
def printed(program, run_folder, tmp_path_factory):
    """The page of a run as PDF."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "index.html").write_text(page(run_folder, None, ReportSettings()), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}"]
    flags += ["--virtual-time-budget=10000", "--no-pdf-header-footer", f"--print-to-pdf={folder / 'page.pdf'}"]
    command = [program("chromium"), *flags, (folder / "index.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / "page.pdf"


@pytest.mark.timeout(180)
def test_no_text_is_cut_off_at_the_edge_of_the_paper(printed):
    sheets = list(extract_pages(printed))
    assert len(sheets) > 3
    for sheet in sheets:
        for block in sheet:
            if isinstance(block, LTTextContainer):
                assert block.x0 >= 0 and block.x1 <= sheet.width, block.get_text()


@pytest.mark.timeout(180)
def test_the_first_sheet_says_what_came_out(printed, run_folder):
    """By words, since a narrow cell breaks its lines."""
    words = normalize("NFKC", extract_text(printed, page_numbers=[0])).split()  # ligatures apart
    for task in Run(run_folder).tasks:
        said = answer(task)
        for word in f"{task.name} {said.said} {said.value} {said.difference}".split():
            assert word in words
    assert "verdict" in words and "Colours:" not in words  # a switch is of no use on paper
