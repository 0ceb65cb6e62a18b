"""The page in a real browser: its 3D view draws, its console is silent, and it asks the network for nothing."""

import csv
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from browser import Visit, picture, visit
from foldgraft.report.settings import ReportSettings
from foldgraft.report.whole import page

LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
"""Added to a copy of the page: a visitor who points, drags, clicks and saves, and writes down what became of it."""


@pytest.fixture(scope="module")
def visited(program, run_folder, viewer, tmp_path_factory) -> Visit:
    folder = tmp_path_factory.mktemp("browser")
    text = page(run_folder, viewer, ReportSettings())
    assert text.count("</body>") == 1
    text = text.replace("</body>", f"<script>{LOOK}</script></body>")
    (folder / "index.html").write_text(text, encoding="utf-8")
    return visit(program("chromium"), folder / "index.html", folder)


@pytest.fixture(scope="module")
def seen(visited) -> dict:
    """What the visitor of `look.js` wrote down."""
    found = re.search(r'<output id="seen">(.*?)</output>', visited.dom, re.DOTALL)
    assert found, visited.console
    return json.loads(html.unescape(found[1]))


@pytest.mark.timeout(180)
def test_the_3d_view_draws_a_protein_and_its_contacts(seen):
    image = picture(seen["before"])[..., :3]
    assert image.shape[0] > 250 and image.shape[1] > 400
    coloured = np.ptp(image, axis=2) > 0.2
    assert 0.005 < coloured.mean() < 0.9
    hues = np.unique((image[coloured] > 0.5).astype(int), axis=0)
    assert len(hues) >= 4  # a chain coloured from blue to red


def test_a_click_in_a_map_marks_the_pair_in_the_sequence_and_in_3d(seen):
    assert seen["clicked"]["marked"] == {"first": [10], "second": [50]}
    first, second = (f"{seen['sequence'][at]}{at + 1}" for at in (10, 50))
    assert seen["clicked"]["said"].startswith(f"{first} and {second}, 40 apart: ")
    for word in ("coevolution", "distance", "predicted probability 0."):
        assert word in seen["clicked"]["said"]
    changed = np.abs(picture(seen["before"]) - picture(seen["clicked"]["png"])).max(axis=2) > 0.2
    assert changed.sum() > 50
    assert seen["let_go"]["marked"] == {"first": [], "second": []}


def test_dragging_selects_two_stretches(seen):
    assert seen["dragged"]["marked"] == {"first": list(range(5, 13)), "second": list(range(40, 56))}
    assert "Selected:" in seen["dragged"]["said"]


def test_the_arrow_keys_move_the_pair(seen):
    assert seen["moved"] == [11, 49]


def test_the_3d_view_zooms_only_after_a_click_and_can_be_reset(seen):
    start, scrolled, clicked, reset = (np.array(seen["views"][name]) for name in ("start", "still", "zoomed", "reset"))
    assert np.array_equal(start, scrolled)
    assert abs(clicked[3] - start[3]) > 1
    assert np.allclose(reset[:4], start[:4], atol=0.01)


def test_another_protein_can_be_chosen(seen):
    assert seen["other"]["length"] != len(seen["sequence"]) or seen["other"]["about"] != seen["about"]


def test_every_table_map_and_figure_can_be_saved(seen):
    names = seen["saved"]
    assert len(names) == len(set(names)) == seen["buttons"]
    kinds = [name.rsplit(".", 1)[1] for name in names]
    assert kinds.count("csv") == seen["tables"] + 1 and kinds.count("svg") == seen["figures"]
    assert kinds.count("png") == 4
    rows = list(csv.reader(io.StringIO(seen["csv"])))
    assert rows[0] == ["task", "verdict", "head", "strongest baseline", "difference", "tested on"]
    assert {row[0] for row in rows[1:]} == {"solubility", "ss3", "torsions", "contact"}
    assert not any(re.match(r"[=+@-]", cell) for row in rows for cell in row)
    assert "var(" not in seen["svg"] and "#1c2530" in seen["svg"]


def test_numbers_beyond_a_scale_are_said_and_saved_as_its_end(seen, run_folder):
    """The scores of the protein's pairs, against those of the file that the run has of them."""
    rows = pd.read_csv(io.StringIO(seen["pairs"]), dtype=str)
    scores = pd.concat(map(pd.read_parquet, (run_folder / "msa/coevolution").glob("*.parquet"))).set_index("id")
    true = scores.loc[seen["about"].partition(":")[0], "scores"]
    top = np.nanpercentile(true, 99.7)
    high, low = rows["coevolution"].str.startswith("≥ "), rows["coevolution"].str.startswith("≤ ")
    assert np.array_equal(high, true >= top) and np.array_equal(low, true <= 0) and high.sum() > 3
    assert set(rows.loc[high, "coevolution"]) == {f"≥ {top:.3f}"} and set(rows.loc[low, "coevolution"]) == {"≤ 0.000"}
    exact = ~high & ~low
    assert np.abs(rows.loc[exact, "coevolution"].astype(float) - true[exact]).max() < top / 254 + 1e-3
    assert f"coevolution ≥ {top:.2f}" in seen["ends"][0]
    assert all("distance ≥ 50.8 Å" in said for said in seen["ends"][1:])
    assert rows["distance"].str.startswith("≥ 50.8").any() == (len(seen["ends"]) == 2)


def test_colours_follow_the_system_until_they_are_chosen_and_are_remembered(seen):
    assert [one["chosen"] for one in seen["themes"]] == [None, "light", "dark", None]
    light, dark = (seen["themes"][at]["background"] for at in (1, 2))
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(21, 25, 30)")
    assert [one["kept"] for one in seen["themes"][1:]] == ["light", "dark", "system"]


def test_the_console_is_silent(visited):
    assert visited.console == []


def test_the_network_is_left_alone(visited):
    assert visited.requested == set()


def test_an_error_would_have_been_seen(program, tmp_path):
    (tmp_path / "index.html").write_text("<script>fetch('https://example.invalid/x'); undefined_function()</script>")
    found = visit(program("chromium"), tmp_path / "index.html", tmp_path)
    assert any("undefined_function" in line for line in found.console)
    assert any("example.invalid" in url for url in found.requested)


MEASURE = """<script>
window.addEventListener("load", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const out = [...document.querySelectorAll("td, svg, figcaption")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.left < 0 || box.right > innerWidth + 1);
  });
  const verdicts = [...document.querySelectorAll('td[data-label="verdict"]')];
  const seen = verdicts.filter((one) => one.getBoundingClientRect().width > 0).length;
  parent.postMessage(`${innerWidth} ${document.documentElement.scrollWidth} ${out.length} ${seen}`, "*");
});
</script>"""
"""Added to a copy of the page: its width, its content's, how much lies outside, and how many verdicts are seen."""

LISTEN = """<body><output id="told"></output>
<iframe src="index.html" style="border:0;width:{width}px;height:900px"></iframe>
<script>
addEventListener("message", (event) => {{ document.getElementById("told").textContent = event.data; }});
</script>
"""


PAPER = round((210 - 2 * 12) / 25.4 * 96)
"""Width of A4 within the page's own margins, CSS pixels."""


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (800, "screen"), (1400, "screen"), (PAPER, "print")])
def test_no_column_and_no_figure_is_out_of_sight(program, run_folder, tmp_path, width, media):
    """On paper by what the style sheet says for it."""
    text = page(run_folder, None, ReportSettings())
    assert text.count("@media print") == 2
    text = text.replace("@media print", "@media all") if media == "print" else text
    (tmp_path / "index.html").write_text(text.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    (tmp_path / "outer.html").write_text(LISTEN.format(width=width))
    found = visit(program("chromium"), tmp_path / "outer.html", tmp_path)
    told = re.search(r'<output id="told">(\d+) (\d+) (\d+) (\d+)</output>', found.dom)
    assert told, "the page did not load"
    inner, content, outside, verdicts = map(int, told.groups())
    assert inner == width
    assert content <= width
    assert outside == 0
    assert verdicts >= 10
