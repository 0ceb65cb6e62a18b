"""MMseqs2 itself runs here: real searches of small made-up families."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.residues import AMINO_ACIDS

rng = np.random.default_rng(5)
WHOLE = "".join(rng.choice(list(AMINO_ACIDS), 160))
OTHER = "".join(rng.choice(list(AMINO_ACIDS), 160))


def search(queries, targets, folder):
    folder.mkdir()
    return mmseqs.search(queries, targets, folder, sensitivity=7.5, evalue=1e-3)


def test_a_missing_binary_is_named(monkeypatch):
    monkeypatch.setenv("MMSEQS_BIN", "/nowhere/mmseqs")
    mmseqs.binary.cache_clear()
    with pytest.raises(FoldgraftError, match="MMSEQS_BIN"):
        mmseqs.binary()
    monkeypatch.undo()
    mmseqs.binary.cache_clear()
    assert mmseqs.version()


@pytest.fixture
def wrapped(monkeypatch, tmp_path):
    """Puts a script in the place of mmseqs; `{mmseqs}` in it is the real one."""
    real = mmseqs.binary()

    def wrap(script):
        path = tmp_path / "wrapped"
        path.write_text("#!/bin/sh\n" + script.replace("{mmseqs}", real))
        path.chmod(0o755)
        monkeypatch.setenv("MMSEQS_BIN", str(path))
        mmseqs.binary.cache_clear()
        mmseqs.version.cache_clear()

    yield wrap
    monkeypatch.undo()
    mmseqs.binary.cache_clear()
    mmseqs.version.cache_clear()


VERSION = '[ "$1" = version ] && exec {mmseqs} version\n'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 13-45111", "is release 13-45111 of mmseqs, and 14 is the oldest"),
        ("echo 9.abcde", "is release 9.abcde of mmseqs"),
        (VERSION + "kill -9 $$", "`.*createdb.*` was killed, as the system does when memory runs out"),
        (VERSION + "sh -c 'kill -9 $$'; exit $?", "was killed, as the system does when memory runs out"),
        (VERSION + "kill -15 $$", "was stopped by the signal SIGTERM"),
        (VERSION + 'ulimit -f 1; exec {mmseqs} "$@"', "createdb.*` was stopped by the signal SIGXFSZ"),
    ],
)
def test_why_mmseqs_failed_is_one_sentence_with_the_command(script, said, wrapped, tmp_path):
    wrapped(script)
    with pytest.raises(FoldgraftError, match=said):
        mmseqs.database({f"s{k}": WHOLE for k in range(500)}, tmp_path / "db")


def test_a_search_that_runs_out_of_memory_says_so(wrapped, tmp_path):
    wrapped(VERSION + '[ "$1" = search ] && ulimit -v 300000\nexec {mmseqs} "$@"')
    with pytest.raises(FoldgraftError, match=r"search .*` ran out of memory; give the job more"):
        search({"q": WHOLE}, {"t": WHOLE}, tmp_path / "m")


def test_what_is_no_program_is_named(wrapped):
    wrapped("")
    mmseqs.binary()
    Path(mmseqs.binary()).write_bytes(b"\x00not a program")
    with pytest.raises(FoldgraftError, match=r"does not start .*set MMSEQS_BIN"):
        mmseqs.run("createdb", "a", "b")


def test_a_query_among_many_copies_of_itself_is_crowded():
    hits = pd.DataFrame({"query": ["a"] * 5 + ["b"] * 4 + ["c"] * 9})
    assert mmseqs.crowded(hits, max_hits=10) == ["a", "c"]


def test_a_failing_command_shows_its_output(tmp_path):
    with pytest.raises(FoldgraftError, match="createdb"):
        mmseqs.run("createdb", tmp_path / "absent.fasta", tmp_path / "db")


def test_scratch_lies_beside_the_output_and_vanishes(tmp_path):
    with pytest.raises(RuntimeError), mmseqs.scratch(tmp_path / "deep" / "table.parquet") as folder:
        assert folder.parent == tmp_path / "deep"
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_fragment_covers_itself_and_part_of_the_whole(tmp_path):
    hits = search({"fragment": WHOLE[40:120]}, {"whole": WHOLE, "other": OTHER}, tmp_path / "a")
    assert hits.target.tolist() == ["whole"]
    hit = hits.iloc[0]
    assert hit.identity == pytest.approx(1.0)
    assert hit.coverage_query == pytest.approx(1.0, abs=0.05)
    assert hit.coverage_target == pytest.approx(0.5, abs=0.05)


def test_the_best_hit_comes_first(tmp_path):
    near = "".join(a if k % 10 else "A" for k, a in enumerate(WHOLE))
    far = "".join(a if k % 3 else "A" for k, a in enumerate(WHOLE))
    hits = search({"q": WHOLE}, {"a": far, "b": near, "c": WHOLE}, tmp_path / "b")
    assert hits.target.tolist() == ["c", "b", "a"]


@pytest.mark.parametrize("pair", [({"q": "ACDEFGHIK"}, {"t": WHOLE}), ({"q": WHOLE}, {}), ({"q": WHOLE}, {"t": OTHER})])
def test_nothing_found_is_an_empty_table(pair, tmp_path):
    hits = search(*pair, tmp_path / "c")
    assert hits.empty
    assert list(hits.columns) == list(mmseqs.HIT_TYPES)
