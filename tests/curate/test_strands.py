"""Molecules that chain names do not tell apart, each counted by hand."""

import pytest

from foldgraft.curate.strands import Site, molecules, names

ALPHA = frozenset({(1, b"")})


def sites(*runs):
    """Sites of runs of numbers, each (first, last, segment, TER records before)."""
    return [Site(str(n), n, segment, ter, ALPHA) for a, b, segment, ter in runs for n in range(a, b + 1)]


@pytest.mark.parametrize(
    ("runs", "blank", "sizes"),
    [
        ([(1, 5, "", 0)], False, [5]),
        ([(1, 5, "", 0), (6, 9, "", 1)], False, [9]),  # a TER at a gap
        ([(1, 5, "", 0), (6, 9, "", 1)], True, [5, 4]),  # without a name it tells molecules apart
        ([(1, 5, "", 0), (1, 4, "", 0)], False, [5, 4]),  # the numbers start again
        ([(3, 5, "", 0), (1, 4, "", 0)], False, [3, 4]),  # cut where they go back, not at the first that comes again
        ([(7, 9, "", 0), (1, 4, "", 0)], False, [7]),  # another order is no second molecule
        ([(1, 5, "P1", 0), (6, 9, "P2", 0)], False, [5, 4]),
        ([(1, 5, "", 0), (1, 5, "", 1), (1, 5, "", 2)], False, [5, 5, 5]),
    ],
)
def test_molecules_by_hand(runs, blank, sizes):
    found = molecules(sites(*runs), blank)
    assert [found.count(number) for number in sorted(set(found))] == sizes
    assert found == sorted(found)


def test_a_conformer_listed_at_the_end_is_of_the_same_molecule():
    first = [Site(str(n), n, "", 0, frozenset({(1, b"A")})) for n in range(1, 9)]
    other = [Site("4", 4, "", 0, frozenset({(1, b"B")}))]
    assert set(molecules([*first, *other], blank=False)) == {0}


def test_names_are_free_ones():
    taken = {"A", "B"}
    assert names("B", ["", ""], taken) == ["B", "B-2"]
    assert names("", ["", ""], taken) == ["C", "D"]
    assert names("", ["PROA", "PROA", "A"], taken) == ["PROA", "PROA-2", "A-2"]
    assert taken == {"A", "B", "B-2", "C", "D", "PROA", "PROA-2", "A-2"}


def test_a_homodimer_under_one_name_is_two_chains(make, curate_bytes):
    one, two = make.chain("MKVLAAG"), make.chain("MKVLAAG")
    for a in two:
        a.xyz = (a.xyz[0], a.xyz[1] + 40, a.xyz[2])
    result = curate_bytes(make.pdb([*one, *two]))
    assert [(chain.id, chain.sequence, chain.same_as) for chain in result.chains] == [
        ("x_A", "MKVLAAG", None),
        ("x_A-2", "MKVLAAG", "x_A"),
    ]
    assert result.atoms == {"placed": 68}
