"""Clean files written as other programs write them: the chains stay what they were, or become rejects."""

import random
import re

import numpy as np
import pytest

from foldgraft.residues import ONE_TO_THREE

FIRST = "MKHLAACIVGHDKEVLCAGIVGWWHKEDRRST"
SECOND = "GSSHHKKVLDCEEAAGKWTYPLNNQFRRAC"
GAPS = {"A": {1, 2, 12, 13, 14, 31, 32}, "B": {9, 10, 11, 12, 20}}
SEQRES = {"1": [ONE_TO_THREE[one] for one in FIRST], "2": [ONE_TO_THREE[one] for one in SECOND]}
PDB_SEQRES = {"A": SEQRES["1"], "B": SEQRES["2"]}
RENAMED = {
    "HIS": ["HID", "HIE", "HIP", "HSD", "HSE", "HSP"],
    "CYS": ["CYX", "CYM"],
    "ASP": ["ASH"],
    "GLU": ["GLH"],
    "LYS": ["LYN"],
}
TOGETHER = 60  # mutations drawn together, per format


def atoms_of(make):
    """Two chains with unresolved ends and loops, far from each other."""
    atoms = []
    for asym, entity, sequence in (("A", "1", FIRST), ("B", "2", SECOND)):
        chain = make.chain(sequence, asym=asym, entity=entity)
        for a in chain:
            a.xyz = (a.xyz[0], a.xyz[1] + 50 * (asym == "B"), a.xyz[2])
        atoms += [a for a in chain if a.seq not in GAPS[asym]]
    return atoms


def resolved(chain):
    """Letters and coordinates of what is resolved."""
    letters = "".join(np.array(list(chain.sequence))[chain.resolved])
    return letters, chain.coordinates[chain.resolved]


def rename(atoms, rng):
    for a in atoms:
        a.comp = RENAMED.get(a.comp, [a.comp])[a.seq % len(RENAMED.get(a.comp, [a.comp]))]


def shift_labels(atoms, rng):
    by = rng.choice([-40, -1, 1, 3, 100])
    for a in atoms:
        a.seq += by


def count_labels_over_gaps(atoms, rng):
    for asym in ("A", "B"):
        mine = [a for a in atoms if a.asym == asym]
        order = {seq: k for k, seq in enumerate(dict.fromkeys(a.seq for a in mine), start=1)}
        for a in mine:
            a.seq = order[a.seq]


def null_labels(atoms, rng):
    for a in atoms:
        a.seq = "."


def null_chain(atoms, rng):
    for a in atoms:
        a.asym = "."


def one_chain(atoms, rng):
    for a in atoms:
        a.asym = "A"


def null_author_numbers(atoms, rng):
    for a in atoms:
        a.auth = "."


def shift_authors(atoms, rng):
    by = rng.choice([-60, 7, 500])
    for a in atoms:
        a.auth += by


def null_entity(atoms, rng):
    for a in atoms:
        a.entity = "."


ON_MMCIF = [rename, shift_labels, count_labels_over_gaps, null_labels, null_chain, one_chain, null_author_numbers]
ON_MMCIF += [shift_authors, null_entity]
CLASH = [
    {null_labels, null_author_numbers},  # without any number there is nothing to tell residues apart by
    {null_labels, shift_labels},
    {null_labels, count_labels_over_gaps},
    {null_chain, one_chain},
    {null_author_numbers, shift_authors},
    {null_author_numbers, count_labels_over_gaps},  # nothing says how wide a gap is
]
"""Changes that do not go together."""

TEXT = {
    "as it is": lambda content, rng: content,
    "byte-order mark": lambda content, rng: b"\xef\xbb\xbf" + content,
    "carriage returns": lambda content, rng: content.replace(b"\n", b"\r\n"),
    "old line ends": lambda content, rng: content.replace(b"\n", b"\r"),
}
ON_TAGS = {
    "lower case": lambda content, rng: re.sub(rb"_atom_site\.\S+", lambda m: m[0].lower(), content),
    "upper case": lambda content, rng: re.sub(rb"_atom_site\.\S+", lambda m: m[0].upper(), content),
    "esd": lambda content, rng: re.sub(rb"(\d\.\d{3}) ", rb"\1(7) ", content),
    "occupancies unstated": lambda content, rng: content.replace(b" 1.00 ", b" .    "),
}


def same_or_rejects(result, clean, whole):
    """Each clean chain is there as it was, or something says why not; no other chain is."""
    found = [resolved(chain) for chain in result.chains]
    for letters, coordinates in found:
        twins = [c for one, c in clean.values() if one == letters]
        assert twins
        np.testing.assert_allclose(coordinates, twins[0], atol=2e-3)
    assert len(found) + len(result.rejects) >= len(clean)
    assert len(found) == len({letters for letters, _ in found})
    if whole:
        assert {chain.sequence for chain in result.chains} <= {FIRST, SECOND}


@pytest.fixture
def clean(make, curate_bytes):
    return {c.label_asym_id: resolved(c) for c in curate_bytes(make.mmcif(atoms_of(make), SEQRES)).chains}


def test_the_clean_file_has_both_chains(clean):
    assert {name: letters for name, (letters, _) in clean.items()} == {
        name: "".join(one for k, one in enumerate(sequence, 1) if k not in GAPS[name])
        for name, sequence in (("A", FIRST), ("B", SECOND))
    }


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("change", ON_MMCIF)
def test_one_change_of_mmcif_changes_nothing(make, curate_bytes, clean, change, declared):
    atoms = atoms_of(make)
    change(atoms, random.Random(1))
    result = curate_bytes(make.mmcif(atoms, SEQRES if declared else None, asyms={"A": "1", "B": "2"}))
    assert not result.rejects
    assert len(result.chains) == 2
    same_or_rejects(result, clean, declared)
    assert sum(result.atoms.values()) == len(atoms)


@pytest.mark.parametrize("name", TEXT | ON_TAGS)
def test_one_change_of_the_text_changes_nothing(make, curate_bytes, clean, name):
    content = make.mmcif(atoms_of(make), SEQRES)
    result = curate_bytes((TEXT | ON_TAGS)[name](content, random.Random(1)))
    assert {c.label_asym_id: c.sequence for c in result.chains} == {"A": FIRST, "B": SECOND}
    same_or_rejects(result, clean, whole=True)


def test_changes_of_mmcif_together_change_nothing(make, curate_bytes, clean):
    rng, kept, files = random.Random(3), 0, 0
    for number in range(2 * TOGETHER):
        chosen = rng.sample(ON_MMCIF, rng.choice([2, 3, 4]))
        if any(pair <= set(chosen) for pair in CLASH):
            continue
        atoms = atoms_of(make)
        for change in chosen:
            change(atoms, rng)
        declared = number % 2 == 0
        text = make.mmcif(atoms, SEQRES if declared else None, asyms={"A": "1", "B": "2"}, aligned=number % 3 > 0)
        result = curate_bytes(rng.choice([*TEXT.values()])(text, rng))
        same_or_rejects(result, clean, declared)
        assert sum(result.atoms.values()) == len(atoms), [c.__name__ for c in chosen]
        kept, files = kept + len(result.chains), files + 1
    assert files > TOGETHER
    assert kept > files * 1.9  # rejects are allowed, but are not the rule


def blank(lines, rng):
    return [line[:21] + " " + line[22:] if line.startswith(("ATOM", "TER")) else line for line in lines]


def one_name(lines, rng):
    return [line[:21] + "A" + line[22:] if line.startswith("ATOM") else line for line in lines]


def segments(lines, rng):
    """Blank chains and segments that tell them apart."""
    made = [line.ljust(72)[:72] + f"PRO{line[21]}" + line[76:] if line.startswith("ATOM") else line for line in lines]
    return blank(made, rng)


def old_columns(lines, rng):
    return [
        line.ljust(72)[:72] + f"1ABC{k:4d}" if line.startswith(("ATOM", "SEQRES", "TER")) else line
        for k, line in enumerate(lines)
    ]


def no_occupancy(lines, rng):
    return [line[:54] + " " * 6 + line[60:] if line.startswith("ATOM") else line for line in lines]


def short_lines(lines, rng):
    return [line[:54] if line.startswith("ATOM") else line for line in lines]


def models(lines, rng):
    body = [line for line in lines if line.startswith(("ATOM", "TER"))]
    head = [line for line in lines if line.startswith("SEQRES")]
    return [*head, "MODEL        1", *body, "MODEL        2", *body, "END"]


def seqres_cut(lines, rng):
    return [line for line in lines if not line.startswith("SEQRES   1 A")]


ON_PDB = [blank, segments, old_columns, no_occupancy, short_lines, models, seqres_cut, one_name]


def pdb_lines(make, atoms, declared):
    """A file with a TER behind each chain."""
    lines = make.pdb(atoms, PDB_SEQRES if declared else None, ter=False).decode().splitlines()
    last = {line[21]: k for k, line in enumerate(lines) if line.startswith("ATOM")}
    return [part for k, line in enumerate(lines) for part in ([line, "TER"] if k in last.values() else [line])]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("change", [*ON_PDB, None])
def test_one_change_of_pdb_changes_nothing(make, curate_bytes, clean, change, declared):
    atoms = atoms_of(make)
    rename(atoms, None)
    lines = pdb_lines(make, atoms, declared)
    result = curate_bytes("\n".join(change(lines, random.Random(1)) if change else lines).encode())
    same_or_rejects(result, clean, declared and change not in (seqres_cut, blank, segments, one_name))
    assert len(result.chains) == 2 or (declared and result.rejects)
    assert sum(result.atoms.values()) == len(atoms)


def test_changes_of_pdb_together_change_nothing(make, curate_bytes, clean):
    rng, kept = random.Random(5), 0
    for number in range(TOGETHER):
        chosen = rng.sample(ON_PDB, 2)
        atoms = atoms_of(make)
        if rng.random() < 0.5:
            rename(atoms, rng)
        if rng.random() < 0.5:
            shift_authors(atoms, rng)
        declared = number % 2 == 0
        lines = pdb_lines(make, atoms, declared)
        for change in chosen:
            lines = change(lines, rng)
        result = curate_bytes(rng.choice([*TEXT.values()])("\n".join(lines).encode(), rng))
        untouched = not {seqres_cut, blank, segments, one_name} & set(chosen)
        same_or_rejects(result, clean, declared and untouched)
        assert sum(result.atoms.values()) == len(atoms), [c.__name__ for c in chosen]
        kept += len(result.chains)
    assert kept > TOGETHER * 1.5
