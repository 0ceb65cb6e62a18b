"""The page as HTML: whole, harmless, readable by all, and what is left of it when stages did not run."""

import base64
import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from page_reading import Outline, linked_data

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import write_json
from foldgraft.records.tables import write_frame
from foldgraft.records.targets import read_targets
from foldgraft.report.linked import encoded, inside
from foldgraft.report.settings import ReportSettings
from foldgraft.report.whole import page


def test_the_page_is_whole_and_has_every_chapter(still):
    outline = Outline(still)
    assert not outline.open
    levels = ["level-protein", "level-residue", "level-pair"]
    names = ["summary", *levels, "structures", "data", "training", "trunk", "methods"]
    assert [section["id"] for section in outline.elements("section")] == names
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", still, flags=re.DOTALL).lower().split()


def test_nothing_is_asked_for_from_outside(still):
    for tag, attributes in Outline(still).tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, (tag, value)
    assert "@import" not in still
    assert not re.search(r"url\(\s*['\"]?(?!#)", still)
    assert "default-src 'none'" in still


def test_ids_from_outside_do_no_harm(still, made_up):
    assert made_up.HOSTILE not in still
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in still
    assert len(Outline(still).elements("script")) == 4  # the page's own, and the data of the linked views


def test_a_hostile_title_is_escaped(run_folder, made_up):
    assert made_up.HOSTILE not in page(run_folder, None, ReportSettings(title=f'"{made_up.HOSTILE}'))


def test_every_figure_has_words_for_those_who_do_not_see_it(still):
    outline = Outline(still)
    pictures = [one for one in outline.elements("div") if one.get("role") == "img"]
    linked = [one for one in outline.elements("div") if one.get("class") == "linked"]
    assert [one["role"] for one in linked] == ["group"]
    assert len(pictures) == len(outline.elements("figure")) == len(outline.elements("figcaption")) >= 10
    assert all(len(one["aria-label"]) > 40 for one in pictures)
    assert still.count("<b>In this run.</b>") == len(pictures) + len(linked)


def test_headings_skip_no_level_and_wide_tables_can_be_scrolled_by_keyboard(still):
    outline = Outline(still)
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(below - above <= 1 for above, below in itertools.pairwise(levels))
    boxes = [one for one in outline.elements("div") if (one.get("class") or "").startswith("scroll")]
    assert len(boxes) == len(outline.elements("table")) and all(one["tabindex"] == "0" for one in boxes)


def test_ids_on_the_page_are_unique(still):
    ids = re.findall(r'\sid="([^"]*)"', still)
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(run_folder, still):
    assert page(run_folder, None, ReportSettings()) == still


def test_chapters_of_what_was_done_are_folded_after_the_answers(still):
    folded = re.findall(r'<details class="chapter"><summary><h2>([^<]+)</h2>', still)
    assert folded == ["Data", "Training", "Trunk", "Methods and provenance"]
    assert still.index("Residue pairs</h2>") < still.index("Data</h2>")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match=r"nowhere: there is no such folder"):
        page(tmp_path / "nowhere", None, ReportSettings())


def test_without_the_viewer_a_still_picture_and_a_way_to_it(still, tmp_path, run_folder):
    assert "resources/3Dmol-min.js" in still
    assert page(run_folder, tmp_path / "missing.js", ReportSettings()) == still


def test_a_viewer_that_is_no_text_is_refused(run_folder, tmp_path):
    (tmp_path / "a.js").write_bytes(b"\xff\xfe")
    with pytest.raises(FoldgraftError, match=r"--viewer: .*a\.js is not the script 3Dmol\.js"):
        page(run_folder, tmp_path / "a.js", ReportSettings())


def test_the_viewer_is_inlined(run_folder, viewer):
    text = page(run_folder, viewer, ReportSettings())
    assert text.count("</script>") == 5
    assert all(one["still"] is None for one in linked_data(text))


def test_linked_views_hold_the_maps_of_the_targets_and_predictions(still, run_folder):
    shown = linked_data(still)
    assert len(shown) == 3 and all(one["still"].startswith("data:image/png") for one in shown)
    split = pd.read_parquet(run_folder / "cluster/split.parquet").drop_duplicates("id").set_index("id")
    assert split.loc[[one["id"] for one in shown], "cluster"].is_unique
    predicted = pd.read_parquet(run_folder / "train/contacts/predictions/contact.parquet").set_index(["id", "split"])
    found = {one.id: one for path in (run_folder / "targets").glob("*.parquet") for one in read_targets(path)}
    for one in shown:
        true = found[one["id"]]
        distance, score = (np.frombuffer(base64.b64decode(one[name]), np.uint8) for name in ("distance", "prediction"))
        assert np.array_equal(distance == 255, ~true.pair_mask)
        assert np.array_equal((distance * 0.2 < 8.0) & true.pair_mask, true.contacts)
        assert np.abs(score / 254 - predicted.loc[(one["id"], "test"), "score"]).max() < 0.002
        score = predicted.loc[(one["id"], "test"), "score"]
        i, j = np.triu_indices(len(true.sequence), 1)
        usable = np.flatnonzero(true.pair_mask & (j - i >= 6))
        best = usable[np.argsort(-score[usable], kind="stable")][: len(true.sequence) // 2]
        rods = {(i[at], j[at], int(true.contacts[at])) for at in best}
        assert {tuple(rod) for rod in one["rods"]} == rods and len(one["rods"]) == len(rods)
        assert one["sequence"] == true.sequence and len(one["depth"]) == len(one["sequence"])


def test_a_chain_can_be_asked_for_and_an_unknown_one_is_named(run_folder):
    split = pd.read_parquet(run_folder / "cluster/split.parquet").query("set == 'structures' and split == 'train'")
    shown = linked_data(page(run_folder, None, ReportSettings(examples=1, proteins=(split["id"].iloc[0],))))
    assert shown[1]["id"] == split["id"].iloc[0] and shown[1]["prediction"] is None
    assert "hence no prediction" in shown[1]["about"] and "P@L" in shown[0]["about"]
    with pytest.raises(FoldgraftError, match=r"report\.proteins: this run has no chain 9zzz_Z"):
        page(run_folder, None, ReportSettings(proteins=("9zzz_Z",)))


def test_only_the_ends_of_a_scale_are_said_to_be_at_most_or_at_least():
    values = np.array([-3.0, 0.0, 0.2, 127.4, 253.9, 254.0, 400.0, np.nan])
    read = np.frombuffer(base64.b64decode(encoded(values, inside)), np.uint8)
    assert read.tolist() == [0, 0, 1, 127, 253, 254, 254, 255]
    apart = np.frombuffer(base64.b64decode(encoded(np.array([50.79, 50.81, 90.0]) / 0.2, np.floor)), np.uint8)
    assert apart.tolist() == [253, 254, 254]


def test_a_script_that_would_end_its_element_is_defused(run_folder, tmp_path):
    path = Path(tmp_path) / "viewer.js"
    path.write_text("var a = '</script><b>';")
    assert "</script><b>" not in page(run_folder, path, ReportSettings())


def test_solubility_alone(tmp_path, made_up):
    text = page(made_up.make_run(tmp_path, structures=False), None, ReportSettings())
    assert "No structures in this run" in text
    assert "Residue pairs" not in text
    assert "This run has no structure targets" in text
    assert not Outline(text).open


def test_contacts_alone_and_without_alignments(tmp_path, made_up):
    run = made_up.make_run(tmp_path, solubility=False)
    for path in [*run.glob("msa/*/*.parquet")]:
        path.unlink()
    text = page(run, None, ReportSettings(examples=1))
    assert '<section id="level-protein">' not in text
    assert "No alignments in this run" in text
    assert "there is no alignment, hence no coevolution" in text
    assert not Outline(text).open


def test_a_bare_run_still_makes_a_page(tmp_path):
    (tmp_path / "bare").mkdir()
    text = page(tmp_path / "bare", None, ReportSettings())
    assert "This run trained no head" in text
    assert "This run has no trunk" in text
    assert not Outline(text).open


def test_what_an_earlier_configuration_left_behind_does_not_count(tmp_path, made_up):
    run = made_up.make_run(tmp_path)
    write_json(run / "provenance.json", {"config": {"experiments": {"attention": {}, "linear": {}, "contacts": {}}}})
    fresh = page(run, None, ReportSettings())
    for path, left in (
        (run / "fetch/labels/solubility-00000.parquet", "solubility-00001.parquet"),
        (run / "msa/alignments/files-00001.parquet", "files-00002.parquet"),
    ):
        table = pq.read_table(path)
        write_frame(path.with_name(left), table.to_pandas(), table.schema)
    shutil.copytree(run / "train/linear", run / "train/given_up")
    assert page(run, None, ReportSettings()) == fresh
