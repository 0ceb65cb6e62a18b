"""Chains and targets as rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import SCHEMA, Chain, read_chains
from foldgraft.records.files import sequence_sha256
from foldgraft.records.sifts import Segment
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import SCHEMA as TARGETS
from foldgraft.records.targets import Targets, read_contacts, read_targets


def random_chain(seed, name="1abc_A"):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 30))
    sequence = "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWYX"), length))
    coordinates = rng.normal(size=(length, 37, 3)).astype(np.float32)
    coordinates[rng.random((length, 37)) < 0.3] = np.nan
    resolved = ~np.isnan(coordinates[:, 1, 0])
    optional = bool(rng.integers(2))
    return Chain(
        id=name,
        entry="1abc",
        label_asym_id="A",
        auth_asym_id="H" if optional else None,
        entity="1" if optional else None,
        sequence=sequence,
        sequence_sha256=sequence_sha256(sequence),
        resolved=resolved,
        label_seq_id=np.arange(1, length + 1, dtype=np.int32),
        auth_seq_id=[f"{i}A" if there else "" for i, there in enumerate(resolved)],
        coordinates=coordinates,
        b_factor=np.where(resolved, 30.5, np.nan).astype(np.float32),
        method="SOLUTION NMR" if optional else None,
        resolution=2.5 if optional else None,
        released="2001-02-03" if optional else None,
        uniprot="P12345" if optional else None,
        organism="Escherichia coli" if optional else None,
        source="files",
        r_free=0.25 if optional else None,
        revised="2011-07-13" if optional else None,
        models=int(rng.integers(1, 40)),
        uniprot_segments=(Segment("P12345", 1, length, "7A", None, 20, None, "dbref"),) * int(rng.integers(3)),
        same_as="1abc_0" if optional else None,
    )


def write(path, schema, values):
    with row_writer(path, schema) as writer:
        for value in values:
            writer.write(value.row())
    return path


def assert_same(one, two):
    for name, value in vars(one).items():
        other = getattr(two, name)
        np.testing.assert_array_equal(other, value, err_msg=name)
        if isinstance(value, np.ndarray):
            assert other.dtype == value.dtype, name
            assert other.flags.writeable, name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=12))
def test_chains_are_read_as_written(tmp_path, seeds):
    chains = [random_chain(seed, f"c{i}") for i, seed in enumerate(seeds)]
    path = write(tmp_path / "x.parquet", SCHEMA, chains)
    for chain, again in zip(chains, read_chains(path), strict=True):
        assert_same(chain, again)
        assert len(again) == len(again.sequence)


@pytest.mark.parametrize("field", ["resolved", "label_seq_id", "auth_seq_id", "b_factor", "coordinates"])
def test_arrays_that_do_not_fit_the_sequence_are_refused(field, tmp_path):
    chain = random_chain(5, "1xyz_B")
    path = write(tmp_path / "x.parquet", SCHEMA, [replace(chain, **{field: getattr(chain, field)[:-1]})])
    with pytest.raises(FoldgraftError, match=r"x\.parquet: the arrays of 1xyz_B do not fit"):
        list(read_chains(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 2**32 - 1)), max_size=10))
def test_targets_are_read_as_written(tmp_path, shapes):
    written = []
    for number, (length, seed) in enumerate(shapes):
        rng = np.random.default_rng(seed)
        pairs = length * (length - 1) // 2
        sequence = "A" * length
        written.append(
            Targets(
                id=f"t{number}",
                sequence=sequence,
                sequence_sha256=sequence_sha256(sequence),
                distogram=rng.integers(0, 256, pairs).astype(np.uint8),
                contacts=rng.random(pairs) < 0.5,
                pair_mask=rng.random(pairs) < 0.5,
                torsions=rng.normal(size=(length, 7, 2)).astype(np.float32),
                torsion_mask=rng.random((length, 7)) < 0.5,
                ss3="".join(rng.choice(list("HEC-"), length)),
            )
        )
    path = write(tmp_path / "x.parquet", TARGETS, written)
    for one, two in zip(written, read_targets(path), strict=True):
        assert_same(one, two)
    for one, two in zip(written, read_contacts(path), strict=True):
        np.testing.assert_array_equal(two.contacts, one.contacts)
        np.testing.assert_array_equal(two.pair_mask, one.pair_mask)
        assert (two.id, two.sequence, two.sequence_sha256) == (one.id, one.sequence, one.sequence_sha256)
