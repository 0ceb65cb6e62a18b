"""Residue pairs as examples: features, sampling with its correction, rectangles of maps, whole maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.models.heads.build import TrunkPart, Widths, build, build_tuned
from foldgraft.models.heads.settings import Last, LogisticSettings, ResidualSettings
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.files import sequence_sha256
from foldgraft.records.pairs import triangle
from foldgraft.tasks.examples import Loading
from foldgraft.tasks.pair_features import BINS, Coevolution, Layout, expand, pair_index
from foldgraft.tasks.pairs import UNKNOWN, Chain, PairExamples, distances, sample_pairs
from foldgraft.tasks.task import BUILT_IN
from foldgraft.tasks.truth import bin_centres
from foldgraft.tasks.tuned_pairs import TunedPairExamples
from foldgraft.tasks.vectors import TrunkVectors

SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
ALL = ("attention", "coevolution", "separation")


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return Trunk(build_network(Architecture(layers=2, width=24, heads=3)), "small", "0" * 64, torch.device("cpu"))


@pytest.fixture(scope="module")
def coevolution() -> Coevolution:
    pairs = len(triangle(len(SEQUENCE))[0])
    return Coevolution(np.random.default_rng(0).normal(3, 2, pairs).astype(np.float32), neff=40.0)


def chain(coevolution=None, bins=False) -> Chain:
    i, j = triangle(len(SEQUENCE))
    rng = np.random.default_rng(1)
    truth = (np.minimum(j - i, 63) if bins else rng.random(len(i)) < 0.2).astype(np.uint8)
    truth[rng.random(len(i)) < 0.1] = UNKNOWN
    return Chain("c", SEQUENCE, sequence_sha256(SEQUENCE), 2, (truth,), coevolution)


def test_features_of_some_pairs_are_those_of_all(trunk, coevolution):
    layout = Layout(ALL, trunk)
    packed = pair_index(len(SEQUENCE)).packed
    everything = layout.gather(trunk, SEQUENCE, packed, coevolution)
    assert everything.shape == (len(packed), layout.width) == (len(packed), len(layout.names))
    assert np.allclose(layout.gather(trunk, SEQUENCE, packed[::7], coevolution), everything[::7], atol=1e-6)


def test_predicted_pairs_are_far_enough_apart():
    index = pair_index(20)
    assert (index.j - index.i >= LEAST_SEPARATION).all() and len(index.packed) == 14 * 15 // 2
    i, j = np.triu_indices(20, k=1)
    assert (i[index.packed] == index.i).all() and (j[index.packed] == index.j).all()
    assert len(pair_index(6).packed) == 0


def test_coevolution_is_scaled_within_the_chain(trunk, coevolution):
    layout = Layout(("coevolution",), trunk)
    packed = pair_index(len(SEQUENCE)).packed
    z, weighted = layout.gather(trunk, SEQUENCE, packed, coevolution).T
    assert z.mean() == pytest.approx(0, abs=1e-5) and z.std() == pytest.approx(1, abs=1e-5)
    assert np.allclose(weighted, z * np.log(41))
    moved = Coevolution(coevolution.scores * 5 - 2, coevolution.neff)
    assert np.allclose(layout.gather(trunk, SEQUENCE, packed, moved)[:, 0], z, atol=1e-4)


@pytest.mark.parametrize("silent", [None, Coevolution(np.zeros(33 * 16, np.float32), 1.0)])
def test_alignments_that_say_nothing_give_zeros(trunk, silent):
    assert not Layout(("coevolution",), trunk).gather(trunk, SEQUENCE, pair_index(33).packed, silent).any()


def test_coevolution_of_another_chain_is_refused(trunk):
    with pytest.raises(FoldgraftError, match="rerun the msa stage"):
        Layout(("coevolution",), trunk).gather(
            trunk, SEQUENCE, pair_index(33).packed, Coevolution(np.zeros(3, np.float32), 1.0)
        )


def test_separation_falls_into_one_class(trunk):
    index = pair_index(150)
    features = Layout(("separation",), trunk).gather(trunk, "A" * 150, index.packed, None)
    apart = index.j - index.i
    assert np.allclose(features[:, 0], np.log(apart))
    assert (features[:, 1:].sum(axis=1) == 1).all()
    for column, low in enumerate(BINS):
        high = [*BINS, 10**9][column + 1]
        assert ((features[:, 1 + column] == 1) == ((apart >= low) & (apart < high))).all()


@settings(max_examples=40)
@given(st.integers(2, 600), st.integers(0, 10))
def test_sampling_keeps_its_budget_and_says_how_uneven_it_was(budget, seed):
    one = chain()
    packed, offset = sample_pairs(one, budget, np.random.default_rng(seed), even=False)
    known = pair_index(len(SEQUENCE)).packed
    known = known[one.truth[0][known] != UNKNOWN]
    assert len(packed) <= budget and len(set(packed)) == len(packed) and set(packed) <= set(known)
    contacts, taken = (one.truth[0][rows] == 1 for rows in (known, packed))
    if taken.any() and not taken.all():
        rates = [taken.sum() / contacts.sum(), (~taken).sum() / (~contacts).sum()]
        assert offset == pytest.approx(np.log(rates[0] / rates[1]))
    assert sample_pairs(one, budget, np.random.default_rng(seed), even=True)[1] == 0.0


@pytest.mark.parametrize("embedding", [False, True])
def test_a_rectangle_over_the_whole_map_is_what_scoring_sees(trunk, coevolution, tmp_path, embedding):
    settings = ResidualSettings(hidden=4, blocks=2, rank=3, crop=64)
    vectors = TrunkVectors(trunk, [1, 2]) if embedding else None
    if vectors:
        vectors.embed([SEQUENCE], residues=True)
    features = (*ALL, "embedding") if embedding else ALL
    chains = [chain(coevolution, bins=True)]
    examples = PairExamples([BUILT_IN["distogram"]], chains, settings, features, trunk, vectors, tmp_path)
    torch.manual_seed(0)
    head = build("pair", settings, examples.widths, [64]).eval()
    examples.prepare(head, np.array([0]), 0)
    batch = examples.rectangle(0, 0, 0)
    outputs = head(batch.inputs)[0].reshape(len(SEQUENCE), len(SEQUENCE), 64)
    index = pair_index(len(SEQUENCE))
    (scored,) = examples.score([head, head], np.array([0]))
    expected = (outputs[index.i, index.j] + outputs[index.j, index.i]) / 2
    assert torch.allclose(scored.outputs[0][1], expected, atol=2e-2)  # features on disk are rounded
    truth = batch.truth[0].reshape(len(SEQUENCE), len(SEQUENCE))
    assert torch.equal(truth[index.i, index.j].nan_to_num(-1), examples.truth(0)[0][:, 0].nan_to_num(-1))
    apart = np.abs(np.subtract.outer(np.arange(len(SEQUENCE)), np.arange(len(SEQUENCE))))
    assert truth[apart < LEAST_SEPARATION].isnan().all()
    part = examples.rectangle(0, 3, 9)
    rows, columns = slice(3, len(SEQUENCE)), slice(9, len(SEQUENCE))
    assert torch.equal(part.inputs[0], batch.inputs[0][:, rows, columns])


def test_a_logistic_head_scores_what_it_would_learn_from(trunk, coevolution):
    settings = LogisticSettings(pairs_per_chain=10_000)
    examples = PairExamples([BUILT_IN["contact"]], [chain(coevolution)], settings, ALL, trunk, None)
    head = build("pair", settings, examples.widths, [1]).eval()
    torch.nn.init.normal_(head.out[0].weight)
    examples.prepare(head, np.array([0]), 0)
    batch = examples.matrix(np.array([0]), 1, 0)
    (scored,) = examples.score([head], np.array([0]))
    known = ~examples.truth(0)[0][:, 0].isnan()
    assert torch.allclose(scored.outputs[0][0][known], head(batch.inputs)[0], atol=1e-4)
    assert (batch.offset == 0).all()  # all pairs were taken


@pytest.mark.parametrize("embedding", [False, True])
@pytest.mark.parametrize("settings", [LogisticSettings(), ResidualSettings(hidden=4, blocks=2, rank=3, crop=64)])
def test_before_training_a_trunk_that_is_trained_along_gives_what_the_frozen_one_does(
    trunk, coevolution, tmp_path, settings, embedding
):
    """Batches, normalisation and scores, of one head on stored features and on those that it computes itself."""
    if settings.name == "logistic" and embedding:
        pytest.skip("a logistic head reads no embeddings")
    features, layers = ((*ALL, "embedding"), [1, 2]) if embedding else (ALL, [])
    chains, vectors = [chain(coevolution)], TrunkVectors(trunk, layers) if embedding else None
    if vectors:
        vectors.embed([SEQUENCE], residues=True)
    task, rows = [BUILT_IN["contact"]], np.array([0])
    frozen = PairExamples(task, chains, settings, features, trunk, vectors, tmp_path)
    tuned = TunedPairExamples(task, chains, settings, features, trunk, layers)
    assert tuned.widths == frozen.widths and tuned.through_trunk(rows) == len(SEQUENCE)
    one = build("pair", settings, frozen.widths, [1]).eval()
    part = TrunkPart(trunk.network, layers, Last(last=1), pairs=Widths(*frozen.widths), attention=True)
    other = build_tuned("pair", settings, part, [1]).eval()
    frozen.prepare(one, rows, 0)
    tuned.prepare(other, rows, 0)
    torch.nn.init.normal_(one.out[0].weight)
    other.body.body.load_state_dict(one.body.state_dict())
    other.out.load_state_dict(one.out.state_dict())
    (scored,), (again,) = frozen.score([one], rows), tuned.score([other, other], rows)
    assert again.outputs[0].shape == (2, *scored.outputs[0].shape[1:])
    assert torch.allclose(scored.outputs[0][0], again.outputs[0][1], atol=3e-2)  # features on disk are rounded
    (batch,) = tuned.batches(rows, Loading(1))
    stored = frozen.sampled(0) if settings.name == "logistic" else next(iter(frozen.batches(rows, Loading(1))))
    assert torch.equal(batch.truth[0].nan_to_num(-1), stored.truth[0].nan_to_num(-1))
    assert torch.allclose(batch.outputs(other)[0], stored.outputs(one)[0], atol=3e-2)
    waiting = tuned.batches(rows, Loading(1, share=(1, 2)))
    assert len(waiting) == 1 and list(waiting) == [None]  # another process has the one batch


@pytest.mark.parametrize("length", [1, 2, 6])
def test_a_trunk_that_is_trained_along_reads_chains_of_few_residues(trunk, length):
    settings = ResidualSettings(hidden=4, blocks=1, rank=3, crop=64)
    own = Chain("c", SEQUENCE[:length], sequence_sha256(SEQUENCE[:length]), 0)
    examples = TunedPairExamples([BUILT_IN["contact"]], [own], settings, ("attention", "separation"), trunk, [])
    part = TrunkPart(trunk.network, [], Last(last=1), pairs=Widths(*examples.widths), attention=True)
    (scored,) = examples.score([build_tuned("pair", settings, part, [1]).eval()], np.array([0]))
    assert scored.outputs[0].shape == (1, len(pair_index(length).packed), 1)


def test_a_sure_distogram_says_its_distance():
    length = 12
    bins = np.arange(len(pair_index(length).packed)) % 64
    found = distances(torch.eye(64)[bins], length)
    packed = pair_index(length).packed
    assert found["distance"][packed] == pytest.approx(bin_centres()[bins], abs=1e-5)
    assert np.isnan(np.delete(found["distance"], packed)).all()
    whole = bins != 19  # the bin that 8 angstrom cuts
    assert (found["score"][packed][whole] == (bin_centres()[bins][whole] < 8)).all()
    assert expand(np.ones(len(packed), np.float32), length, 0.0).sum() == len(packed)
