"""Damaged files end as whole chains or as rejects, in bounded time, and never as an error of the job."""

import gzip
import hashlib
import os
import random
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from foldgraft.curate.entry import UnreadableError
from foldgraft.curate.residue_names import PLACED
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.structure_file import Extra, curate_file, read_entry
from foldgraft.records.chains import SCHEMA, read_chains
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import row_writer
from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE
from foldgraft.synth.entries import Entry, document
from foldgraft.synth.fold import compact

SEQUENCE = "MKVLAAGIVGMKVLAAGIVGWW"
THREE = [ONE_TO_THREE[one] for one in SEQUENCE]
LIMIT = 20  # seconds a file may take; each takes milliseconds
EACH = 130  # mutants of each file
CA = ATOM_INDEX["CA"]


class HangError(BaseException):
    """Not an Exception, so that no handler of the code under test catches it."""


@contextmanager
def alarm(seconds):
    def ring(*_):
        raise HangError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def flip(content, rng):
    spots = dict.fromkeys(rng.sample(range(len(content)), min(len(content), rng.choice([1, 5, 50]))))
    return bytes(rng.randrange(256) if at in spots else byte for at, byte in enumerate(content))


def cut(content, rng):
    at = rng.randrange(len(content))
    return content[:at] if rng.random() < 0.5 else content[at:]


def by_line(change):
    """A mutation of the list of lines."""

    def mutate(content, rng):
        lines = content.split(b"\n")
        return b"\n".join(change(lines, rng.randrange(len(lines)), rng))

    return mutate


def drop_lines(lines, at, rng):
    return lines[:at] + lines[at + rng.randrange(1, 20) :]


def drop_some(lines, at, rng):
    return [line for line in lines if rng.random() > 0.02]


def swap_lines(lines, at, rng):
    other = rng.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def swap_columns(lines, at, rng):
    fields = lines[at].split(b" ")
    rng.shuffle(fields)
    return [*lines[:at], b" ".join(fields), *lines[at + 1 :]]


def swap_tags(lines, at, rng):
    tags = [k for k, line in enumerate(lines) if line.startswith(b"_atom_site.")]
    if len(tags) > 1:
        one, two = rng.sample(tags, 2)
        lines[one], lines[two] = lines[two], lines[one]
    return lines


def repeat_lines(lines, at, rng):
    return lines[:at] + lines[at : at + rng.randrange(1, 40)] * rng.randrange(2, 30) + lines[at:]


def repeat_loop(lines, at, rng):
    starts = [k for k, line in enumerate(lines) if line.startswith((b"loop_", b"SEQRES", b"ATOM", b"MODEL"))]
    start = rng.choice(starts or [0])
    stop = next((k for k in range(start, len(lines)) if lines[k].startswith(b"#")), start + 30)
    return [*lines[:stop], b"#", *lines[start:stop], *lines[stop:]]


def quotes(lines, at, rng):
    kind = rng.choice([b"'", b'"', b";", b"\n;\n", b"'\"", b"[", b"{", b"data_x\n", b"save_\n", b"loop_\n"])
    return [*lines[:at], kind * rng.choice([1, 3, 2000]), *lines[at:]]


def odd_numbers(content, rng):
    found = list(re.finditer(rb"(?<= )-?[0-9]+(\.[0-9]+)?(?= )", content))
    odd = [b"nan", b"inf", b"-inf", b"1e999", b"-0", b"99999999999999999999", b"-2147483649", b"0x10", b"1_0", b"1e400"]
    odd += [b"1.2.3", b"?", b".", b"''", b"0" * 300, b"9" * 5000, b"+", b"1e", b"-99999.999", b"9999.0001"]
    parts, last = [], 0
    for match in sorted(rng.sample(found, min(len(found), rng.choice([1, 3, 60]))), key=lambda m: m.start()):
        parts += [content[last : match.start()], rng.choice(odd)]
        last = match.end()
    return b"".join([*parts, content[last:]])


def odd_column(content, rng):
    value = rng.choice([b" 2 ", b" A ", b" 1 ", b" CA ", b" ALA ", b" 1.00 "])
    return content.replace(
        value, rng.choice([b" 99999999999 ", b" -7 ", b" . ", b" ? ", b" 1.5 ", b" \x00 ", b" ", b"\t"])
    )


def odd_ends(content, rng):
    return content.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b" ", b"\x00", b"\n#\n"]), rng.choice([-1, 9]))


def gzip_damage(content, rng):
    packed = gzip.compress(content)
    kind = rng.randrange(4)
    if kind == 0:
        return packed + bytes(rng.randrange(256) for _ in range(40))
    if kind == 1:
        return packed + gzip.compress(content[: rng.randrange(len(content))])
    return (flip if kind == 2 else cut)(packed, rng)


MUTATIONS = [flip, cut, odd_numbers, odd_column, odd_ends, gzip_damage]
MUTATIONS += [by_line(change) for change in (drop_lines, drop_some, swap_lines, swap_columns, swap_tags)]
MUTATIONS += [by_line(change) for change in (repeat_lines, repeat_loop, quotes)]


def mutants(content, seed, count):
    """`count` damaged copies, every kind of damage in turn, some of them damaged twice."""
    rng = random.Random(seed)
    for number in range(count):
        damaged = MUTATIONS[number % len(MUTATIONS)](content, rng)
        if rng.random() < 0.3 and damaged:
            damaged = rng.choice(MUTATIONS)(damaged, rng)
        yield damaged


def check_chain(chain):
    """What every chain promises, whatever the file was."""
    length = len(chain.sequence)
    assert length
    arrays = (chain.resolved, chain.label_seq_id, chain.auth_seq_id, chain.coordinates, chain.b_factor)
    assert [len(array) for array in arrays] == [length] * len(arrays)
    assert set(chain.sequence) <= set(PLACED)
    assert chain.sequence_sha256 == sequence_sha256(chain.sequence)
    finite = np.isfinite(chain.coordinates)
    assert (finite.all(axis=2) == finite.any(axis=2)).all()
    np.testing.assert_array_equal(chain.resolved, finite[:, CA, 0])
    assert np.isnan(chain.b_factor[~chain.resolved]).all()
    assert (np.abs(chain.coordinates[finite]) <= 9999).all()
    assert (np.diff(chain.label_seq_id) > 0).all()
    assert chain.label_seq_id[0] >= 0
    assert chain.models >= 1
    assert chain.same_as != chain.id
    for value in (chain.resolution, chain.r_free):
        assert value is None or 0 < value < 1000


def check_results(curated):
    assert curated.chains or curated.rejects
    ids = [chain.id for chain in curated.chains]
    assert len(set(ids)) == len(ids)
    for chain in curated.chains:
        check_chain(chain)
        assert chain.same_as is None or chain.same_as in ids[: ids.index(chain.id)]
    for reject in curated.rejects:
        assert all(isinstance(text, str) for text in reject)
        assert reject.rule != "unreadable", reject  # the last resort: an error that no one foresaw
    assert min(curated.atoms.values(), default=0) >= 0


def check_balance(content, curated):
    """All atoms of amino acids that were read have a fate."""
    try:
        entry = read_entry(content, 10**9)
    except UnreadableError:
        return
    assert sum(curated.atoms.values()) == np.count_nonzero(entry.amino[entry.atoms.residue])


def survive(contents, folder, extra=Extra()):
    """Curate each content, check what comes of it and write its chains; how many chains and rejects there were."""
    settings = CurateSettings(min_length=1, max_length=20_000, min_resolved=0)
    path, counts = folder / "file", {"files": 0, "chains": 0, "rejects": 0}
    with row_writer(folder / "c.parquet", SCHEMA) as table:
        for content in contents:
            path.write_bytes(content)
            row = {"id": "x", "source": "files", "sha256": hashlib.sha256(content).hexdigest()}
            with alarm(LIMIT):
                curated = curate_file(path, row, settings, extra)
            check_results(curated)
            check_balance(content, curated)
            counts["files"] += 1
            counts["chains"] += len(curated.chains)
            counts["rejects"] += len(curated.rejects)
            for chain in curated.chains:
                table.write(chain.row())
    assert sum(1 for _ in read_chains(folder / "c.parquet")) == counts["chains"]
    return counts


EXTRA = """_exptl.method 'X-RAY DIFFRACTION'
_refine.ls_d_res_high 1.80
_refine.ls_R_factor_R_free 0.214
_pdbx_audit_revision_history.revision_date 2001-02-03
_struct_ref.id 1
_struct_ref.db_name UNP
_struct_ref.pdbx_db_accession P69905
_struct_ref.entity_id 1
_struct_ref_seq.ref_id 1
_struct_ref_seq.seq_align_beg 2
_struct_ref_seq.seq_align_end 20
_struct_ref_seq.db_align_beg 12
_struct_ref_seq.db_align_end 30
loop_
_pdbx_poly_seq_scheme.asym_id
_pdbx_poly_seq_scheme.seq_id
_pdbx_poly_seq_scheme.pdb_seq_num
_pdbx_poly_seq_scheme.pdb_ins_code
A 1 52 A
A 2 53 .
#"""
HEAD = """HEADER    TEST                                    01-JAN-90   1ABC
COMPND    MOL_ID: 1;
COMPND   2 CHAIN: A, B;
SOURCE    MOL_ID: 1;
SOURCE   2 ORGANISM_SCIENTIFIC: HOMO SAPIENS;
REVDAT   1   15-OCT-91 1ABC    0
REMARK   2 RESOLUTION.    1.80 ANGSTROMS.
REMARK   3   FREE R VALUE                     : 0.217
DBREF  1ABC A    1    22  UNP    P0CG48   UBC_HUMAN        1     22
MODRES 1ABC MSE A    1  MET"""


def odd_atoms(make):
    """Two chains, one in two conformers and with two residues at one place; and a nucleotide."""
    atoms = [a for a in make.chain(SEQUENCE) if a.seq not in (4, 9)]
    for alt, comp in (("A", "LEU"), ("B", "LEU"), ("C", "ILE")):
        atoms += make.backbone(comp, 4, alt=alt, occ=0.4 if alt == "A" else 0.3)
    return [*atoms, *make.chain(SEQUENCE, asym="B"), make.atom("O5'", "DA", 1, asym="C", entity="2")]


def synthetic(quirk):
    rng = np.random.default_rng(7)
    return document(rng, Entry("test", quirk, SEQUENCE * 2, compact(rng, 44, 44))).encode()


FILES = {
    "aligned": lambda make: make.mmcif(odd_atoms(make), {"1": THREE}, extra=EXTRA),
    "unaligned": lambda make: make.mmcif(odd_atoms(make), {"1": THREE}, extra=EXTRA, aligned=False),
    "no_seqres": lambda make: make.mmcif(odd_atoms(make)),
    "pdb": lambda make: make.pdb(odd_atoms(make), head=HEAD),
    "pdb_seqres": lambda make: make.pdb(odd_atoms(make), {"A": THREE, "B": THREE}, head=HEAD),
    "nmr": lambda make: synthetic("nmr"),
    "ligand": lambda make: synthetic("ligand"),
    "altloc": lambda make: synthetic("altloc"),
}


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_end_as_chains_or_rejects(make, tmp_path, kind, capsys):
    counts = survive(mutants(FILES[kind](make), kind, EACH), tmp_path, Extra(sequences={"x": SEQUENCE}))
    capsys.readouterr()
    assert counts["files"] == EACH
    assert counts["chains"] > EACH / 4  # most damage leaves something to read, or the test would show little
    assert counts["rejects"] > EACH / 10


REAL = Path(os.environ.get("FOLDGRAFT_DATA", "absent")) / "structures"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="FOLDGRAFT_DATA does not name a folder with structures")
@pytest.mark.parametrize("pattern", ["mmcif/*.cif.gz", "bm5_chains/*.pdb.gz"])
def test_damaged_real_files_end_as_chains_or_rejects(tmp_path, pattern):
    paths = sorted(REAL.glob(pattern), key=lambda path: path.stat().st_size)[5:45]
    contents = (
        damaged for path in paths for damaged in mutants(gzip.decompress(path.read_bytes()), path.name, len(MUTATIONS))
    )
    counts = survive(contents, tmp_path)
    assert counts["files"] == len(paths) * len(MUTATIONS)
    assert counts["chains"] > counts["files"] / 4
