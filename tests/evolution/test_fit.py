"""Which chains an alignment serves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.evolution import fit
from foldgraft.evolution.columns import Alignment
from foldgraft.evolution.fit import Chains, fit_by_row, fits
from foldgraft.evolution.formats import Row

RNG = np.random.default_rng(8)
CHAINS = {f"c{k}": "".join(RNG.choice(list("ACDEFGHIKLMNPQRSTVWY"), 80)) for k in range(30)}


def alignment(*texts):
    return Alignment([Row("r", text) for text in texts], len(texts[0]))


def test_the_row_that_is_the_chain_is_found_wherever_it_is():
    texts = list(CHAINS.values())
    found = fits(alignment(*texts[:20]), Chains(CHAINS), 0.9, 0.5)
    assert {name: item.row for name, item in found.items()} == {f"c{k}": k for k in range(20)}
    assert all(item.identity == item.coverage == 1 and not item.why_not(0.9, 0.5) for item in found.values())


def test_many_hits_at_once_or_few_find_the_same(monkeypatch):
    rows = alignment(*CHAINS.values())
    whole = fits(rows, Chains(CHAINS), 0.9, 0.5)
    monkeypatch.setattr(fit, "HITS_AT_ONCE", 100)
    few = fits(rows, Chains(CHAINS), 0.9, 0.5)
    assert {name: item.row for name, item in few.items()} == {name: item.row for name, item in whole.items()}


@given(st.integers(0, 29), st.lists(st.integers(0, 79), max_size=6, unique=True), st.integers(0, 20))
def test_mutations_up_to_the_tolerance_and_any_tag_are_borne(which, places, tag):
    chain = CHAINS[f"c{which}"]
    text = "".join(("A" if letter != "A" else "C") if k in places else letter for k, letter in enumerate(chain))
    item = fit_by_row(text, 0, "M" * tag + chain)
    assert item.aligned >= 80 - 6 and item.identical >= 80 - len(places) - 6
    assert item.why_not(0.9, 0.5) == ""
    residues = np.flatnonzero(item.columns >= 0)
    assert (residues - item.columns[residues] == tag).all()


def test_unknown_letters_count_neither_way():
    chain = CHAINS["c0"]
    item = fit_by_row("XX" + chain[2:10] + "X" + chain[11:], 0, chain)
    assert (item.identical, item.known, item.identity) == (77, 77, 1.0)


def test_insertions_of_the_row_have_no_column():
    chain = CHAINS["c0"]
    item = fit_by_row(chain[:10] + chain[10:15].lower() + chain[15:], 0, chain)
    assert item.columns.tolist() == [*range(10), *[-1] * 5, *range(10, 75)]


def test_a_short_stretch_counts_only_as_a_whole_first_row():
    chain = CHAINS["c0"]
    assert fit_by_row(chain[20:30], 0, chain).why_not(0.9, 0.5) == ""
    assert "10 residues aligned" in fit_by_row(chain[20:30], 5, chain).why_not(0.9, 0.5)


def test_strangers_do_not_fit():
    stranger = "".join(RNG.choice(list("ACDEFGHIKLMNPQRSTVWY"), 80))
    assert fits(alignment(stranger), Chains(CHAINS), 0.9, 0.5) == {}
    assert fits(alignment("A" * 4), Chains(CHAINS), 0.9, 0.5) == {}
    assert fits(alignment(stranger), Chains({}), 0.9, 0.5) == {}


def test_what_is_too_long_to_compare_is_not_compared(monkeypatch):
    monkeypatch.setattr(fit, "MAX_CELLS", 10)
    assert fit_by_row("A" + CHAINS["c0"][1:-1] + "W", 0, CHAINS["c0"]) is None
    assert fit_by_row(CHAINS["c0"][5:], 0, CHAINS["c0"]).aligned == 75
