"""Files of predictions state what they are."""

import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records.predictions import DISTOGRAM, PAIR, PROTEIN, RESIDUE, About, read_about, schema_of
from foldgraft.records.tables import read_rows, row_writer
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY

ROW = {"id": "p", "sequence_sha256": "0" * 64, "split": "test", "fold": 0}


@pytest.mark.parametrize(
    ("task", "schema"),
    [
        (SOLUBILITY, PROTEIN),
        (BUILT_IN["ss3"], RESIDUE),
        (BUILT_IN["contact"], PAIR),
        (BUILT_IN["distogram"], DISTOGRAM),
    ],
)
def test_each_level_has_its_schema(task, schema):
    about = About(task=task.name, experiment="x", level=task.level, target=task.about_target)
    assert schema_of(about).names == schema.names


def test_what_is_written_is_read_with_what_it_is(tmp_path):
    path = tmp_path / "ss3.parquet"
    about = About(task="ss3", experiment="x", level="residue", target=BUILT_IN["ss3"].about_target)
    with row_writer(path, schema_of(about)) as writer:
        writer.write({**ROW, "length": 1, "truth": [float("nan")], "score": [0.5, 0.25, 0.25]})
    assert read_about(path) == about and about.target == {"kind": "classes", "names": ["H", "E", "C"]}
    assert next(read_rows(path, RESIDUE))["score"] == [0.5, 0.25, 0.25]


def test_another_file_is_refused(tmp_path):
    with row_writer(tmp_path / "other.parquet", PROTEIN) as writer:
        writer.flush()
    (tmp_path / "text.parquet").write_text("no table")
    for name in ("other", "text", "absent"):
        with pytest.raises(FoldgraftError, match="is no file of predictions"):
            read_about(tmp_path / f"{name}.parquet")
