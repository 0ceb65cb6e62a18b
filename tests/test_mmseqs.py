"""MMseqs2 itself runs here: real searches of small made-up families."""

import numpy as np
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
