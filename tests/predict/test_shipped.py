"""The heads that ship with the package."""

from io import StringIO

import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import r2_score
from typer.testing import CliRunner

from foldgraft.alone import DEFAULT_HEAD, HEADS, app, shipped
from foldgraft.tasks.trained import load_head
from foldgraft.trunk.settings import DEFAULT_MODEL, SIZES

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
STRANDS, HELIX = [(2, 7), (12, 16), (41, 45), (66, 71)], (23, 34)
"""Of PDB entry 1UBQ (Vijay-Kumar et al. 1987, doi 10.1016/0022-2836(87)90679-6), residues from 1."""

MOST = 5_000_000
"""Bytes of all heads together."""


def test_there_is_a_default_head_and_all_are_small():
    assert DEFAULT_HEAD in shipped()
    assert sum(path.stat().st_size for path in HEADS.iterdir()) < MOST


@pytest.mark.parametrize("name", shipped())
def test_a_head_loads_knows_its_training_proteins_and_has_a_card(name):
    head = load_head(shipped()[name])
    assert head.info.name == name and (head.info.seen is not None or head.info.level == "pair")
    assert "coevolution" not in head.info.features and not head.info.covariates and head.info.unfreeze == 0
    card = (HEADS / f"{name}.md").read_text()
    for section in ("What it is", "Data", "Split", "Figures", "Limits", "Licences", "Made by"):
        assert f"\n## {section}\n" in card


def test_the_heads_are_of_the_trunk_that_is_fetched_for_them():
    """ESM-2 8M has embeddings of width 320."""
    assert DEFAULT_MODEL in SIZES
    assert {len(load_head(path).info.trunk.fingerprint[0]) for path in shipped().values()} == {320}


def predicted(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return pd.read_csv(StringIO(result.stdout))


def test_the_readme_shows_what_comes_out(genuine, root):
    block = (root / "README.md").read_text().partition("```text\nid,")[2].partition("```")[0]
    shown = pd.read_csv(StringIO(f"id,{block}"))
    found = predicted(root / "docs/constructs.fasta", "--trunk", genuine)
    pd.testing.assert_frame_equal(found, shown, rtol=0, atol=1e-3)


def test_contacts_of_ubiquitin_are_where_its_strands_pair(genuine, tmp_path):
    """Strands 1 and 2 are antiparallel, residues i and 18 - i facing each other; so are 3 and 5, i and 113 - i."""
    (tmp_path / "one.fasta").write_text(f">ubiquitin\n{UBIQUITIN}\n")
    words = ["map", tmp_path / "one.fasta", "--output-pairs", tmp_path / "p.csv", "--trunk", genuine]
    CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table.columns[-2:]) == ["trunk", "contacts"] and table["contacts"].is_monotonic_decreasing
    total = table["i"] + table["j"]
    hairpin = table[total.between(17, 19) & (table["i"] >= 2) & (table["j"] <= 16)]
    sheet = table[total.between(111, 115) & table["i"].between(40, 46) & table["j"].between(66, 72)]
    assert hairpin["contacts"].mean() > 0.4 and sheet["contacts"].mean() > 3 * table["contacts"].mean()
    assert hairpin["contacts"].mean() > hairpin["trunk"].mean()


def test_the_states_of_ubiquitin(genuine, tmp_path):
    (tmp_path / "one.fasta").write_text(f">ubiquitin\n{UBIQUITIN}\n")
    found = predicted(tmp_path / "one.fasta", "--head", "secondary_structure", "--trunk", genuine)
    said = "".join(found["secondary_structure"])
    assert len(said) == len(UBIQUITIN) and said[HELIX[0] - 1 : HELIX[1]].count("H") >= 10
    for first, last in STRANDS:
        assert said[first - 1 : last].count("E") >= 0.6 * (last - first + 1), (first, last, said)


@pytest.mark.real
def test_the_head_of_fractions_does_on_test_proteins_what_its_card_says(genuine, real_data, tmp_path):
    """R² 0.54 on all 782; here on 150 of them, which the head has not seen."""
    table = pd.read_csv(real_data / "solubility/esol_graphsol_test.csv.gz").query("sequence.str.len() < 350")[:150]
    text = "".join(f">p{row}\n{sequence}\n" for row, sequence in enumerate(table["sequence"]))
    (tmp_path / "test.fasta").write_text(text)
    found = predicted(tmp_path / "test.fasta", "--head", "solubility_fraction", "--trunk", genuine)
    score = found["solubility_fraction"]
    assert r2_score(table["solubility"], score) > 0.4
    assert spearmanr(table["solubility"], score).statistic > 0.6
