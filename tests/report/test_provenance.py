"""What is recorded of a run."""

import numpy as np
import pandas as pd

from foldgraft.records.lock import SCHEMA
from foldgraft.records.tables import write_frame
from foldgraft.report.provenance import provenance


def lock(path, retrieved, sha256="a" * 64):
    empty = {**dict.fromkeys(SCHEMA.names), "source": "files", "shard": "files-00000"}
    rows = [{**empty, "id": name, "url": name} for name in ("b", "a")]
    frame = pd.DataFrame(rows).assign(sha256=sha256, bytes=1, status="stored", retrieved=retrieved)
    write_frame(path, frame, SCHEMA)
    return path


def test_it_names_versions_configuration_and_inputs(tmp_path):
    record = provenance(lock(tmp_path / "lock.parquet", "2026-01-01T00:00:00Z"), {"run": "x"})
    assert record["config"] == {"run": "x"}
    assert record["packages"]["numpy"] == np.__version__
    assert record["inputs"]["count"] == 2
    assert record["mmseqs"]


def test_the_inputs_digest_knows_contents_not_times(tmp_path):
    first = provenance(lock(tmp_path / "a", "2026-01-01T00:00:00Z"), {})
    later = provenance(lock(tmp_path / "b", "2026-02-02T00:00:00Z"), {})
    other = provenance(lock(tmp_path / "c", "2026-01-01T00:00:00Z", "b" * 64), {})
    assert first["inputs"] == later["inputs"] != other["inputs"]
