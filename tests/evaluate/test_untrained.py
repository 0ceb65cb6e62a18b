"""An untrained trunk as baseline of residues and of pairs, by fair-esm and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
import torch
from esm import ESM2
from esm.modules import apc, symmetrize
from made_up_predictions import BINARY, FOLDS, STATES, TORSIONS, about, split_frame, write_residues
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.preprocessing import StandardScaler

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines import attention, residue
from foldgraft.evaluate.baselines import run as run_baseline
from foldgraft.evaluate.baselines.untrained import random_trunk
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.files import sequence_sha256, write_json
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_arrays, row_writer
from foldgraft.records.targets import SCHEMA, Targets
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.truth import TRUTH, bin_centres, share_in_contact

CHAINS, LENGTH = 16, 18
BINS = {"kind": "classes", "names": [f"bin_{number}" for number in range(64)]}
FIRST, SECOND = triangle(LENGTH)
FAR = SECOND - FIRST >= 6


def chain(number: int) -> Targets:
    """Random letters; a residue's state follows from its letter, a pair's distance from both."""
    rng = np.random.default_rng(number)
    sequence = "".join(rng.choice(list(AMINO_ACIDS), LENGTH))
    kind = np.array([AMINO_ACIDS.index(letter) % 3 for letter in sequence])
    mask = (rng.random(LENGTH) > 0.1)[FIRST]
    near, other = (kind[FIRST] == 0) & (kind[SECOND] == 0), 20 + rng.integers(0, 3, len(FIRST))
    bins = np.where(mask, np.where(near, 5, other), 255)
    torsions = np.zeros((LENGTH, 7, 2), np.float32)
    torsions[:, :2] = np.stack([np.sin(kind), np.cos(kind)], axis=1)[:, None]
    return Targets(
        id=f"c{number:02d}", sequence=sequence, sequence_sha256=sequence_sha256(sequence), torsions=torsions,
        distogram=bins.astype(np.uint8), contacts=bins == 5, pair_mask=mask, torsion_mask=np.ones((LENGTH, 7), bool),
        ss3="".join("HEC"[state] for state in kind),
    )  # fmt: skip


class World:
    """Sixteen chains in four folds, a small trunk's description, and the same random network by fair-esm."""

    def __init__(self, folder):
        self.folder, self.chains = folder, [chain(number) for number in range(CHAINS)]
        self.split = split_frame([one.id for one in self.chains], "structures")
        shape = {"layers": 2, "width": 24, "heads": 3}
        write_json(folder / "trunk.json", {"name": "small", "architecture": shape})
        with row_writer(folder / "targets.parquet", SCHEMA) as writer:
            for one in self.chains:
                writer.write(one.row())
        self.network = ESM2(num_layers=2, embed_dim=24, attention_heads=3)
        state = random_trunk(folder / "trunk.json", 0).network.state_dict()
        self.network.load_state_dict(state, strict=False)
        self.network.eval()

    def by_fair_esm(self, one: Targets) -> tuple[np.ndarray, np.ndarray]:
        """Residue embeddings (L, D), and corrected attention of pairs (P, layers * heads)."""
        _, _, tokens = self.network.alphabet.get_batch_converter()([("", one.sequence)])
        with torch.no_grad():
            found = self.network(tokens, repr_layers=[2], need_head_weights=True)
        maps = apc(symmetrize(found["attentions"][0, :, :, 1:-1, 1:-1]))  # (layers, heads, L, L)
        return found["representations"][2][0, 1:-1].numpy(), maps.flatten(0, 1)[:, FIRST, SECOND].T.numpy()

    def run(self, level: str, task: str, target: dict, **others) -> list[dict]:
        """Rows of the baseline of an experiment that predicted each chain as test and as validation protein."""
        output, one = self.folder / "out.parquet", about("head", level, target, task)
        if level == "residue":
            truth = [TRUTH[task](chain) for chain in self.chains]
            score = [np.zeros((LENGTH, 4 if target["kind"] == "angles" else 3))] * CHAINS
            predictions = write_residues(self.folder / "head.parquet", one, self.split, truth, score)
        else:
            predictions = self.folder / "head.parquet"
            unknown = {} if target["kind"] == "binary" else {"distance": np.zeros(len(FIRST)), "cross_entropy": None}
            with row_writer(predictions, schema_of(one)) as writer:
                for row in self.split.to_dict("records"):
                    for split in ("test", "valid"):
                        keys = {key: row[key] for key in ("id", "sequence_sha256", "fold")}
                        writer.write(keys | {"split": split, "length": LENGTH, "score": np.zeros(len(FIRST))} | unknown)
        files = {"targets": [self.folder / "targets.parquet"], "description": self.folder / "trunk.json", **others}
        run_baseline("untrained", [predictions], self.split, output=output, settings=EvaluateSettings(), **files)
        return [row for row in read_arrays(output, schema_of(one)) if row["split"] == "test"]

    def expected(self, test: int, examples, fit, loss, strengths) -> object:
        """A regression that learns all folds but the test fold, its strength chosen on the fold after that."""
        folds = self.split["fold"].to_numpy()

        def of(*chosen):
            parts = [examples(self.chains[row]) for row in np.flatnonzero(np.isin(folds, chosen))]
            return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))

        valid = (test + 1) % FOLDS
        rest = [fold for fold in range(FOLDS) if fold not in (test, valid)]

        def value(strength):
            said, (x, y) = fit(*of(*rest), strength), of(valid)
            return loss(y, said(x))

        return fit(*of(*rest, valid), min(strengths, key=value))


def classifier(x, y, strength):
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=strength, max_iter=500).fit(scaler.transform(x), y[:, 0].astype(int))
    return lambda rows: model.predict_proba(scaler.transform(rows))


def ridge(x, y, strength):
    scaler = StandardScaler().fit(x)
    model = Ridge(alpha=1 / strength).fit(scaler.transform(x), y)

    def said(rows):
        pairs = model.predict(scaler.transform(rows)).reshape(len(rows), -1, 2)
        return (pairs / np.linalg.norm(pairs, axis=2, keepdims=True)).reshape(len(rows), -1)

    return said


@pytest.mark.parametrize(("task", "target"), [("ss3", STATES), ("torsions", TORSIONS)])
def test_residues_by_embeddings_of_fair_esms_network(tmp_path, within_its_code, task, target):
    world = World(tmp_path)
    with within_its_code("evaluate", "baseline", "residue"):
        rows = world.run("residue", task, target)
    assert [row["id"] for row in sorted(rows, key=lambda row: row["id"])] == [one.id for one in world.chains]
    fit, loss = (classifier, log_loss) if task == "ss3" else (ridge, mean_squared_error)

    def examples(one):
        return world.by_fair_esm(one)[0], TRUTH[task](one)

    said = world.expected(0, examples, fit, loss, residue.STRENGTHS)
    for row in rows:
        if row["fold"] == 0:
            own = next(one for one in world.chains if one.id == row["id"])
            expected = said(world.by_fair_esm(own)[0])
            assert row["score"].reshape(expected.shape) == pytest.approx(expected, abs=2e-3)
            assert expected.std(axis=0).min() > 0.05  # the residues differ


def pair_examples(world: World, task: str):
    def examples(one):
        truth = TRUTH[task](one)
        known = FAR & np.isfinite(truth[:, 0])
        return inputs(one)[known], truth[known]

    def inputs(one):
        apart = SECOND - FIRST
        low = np.array([6, 8, 10, 12, 16, 20, 24, 32, 48, 96])
        classes = (apart[:, None] >= low) & (apart[:, None] < np.append(low[1:], 10**6))
        return np.concatenate([world.by_fair_esm(one)[1], np.log(apart)[:, None], classes], axis=1)

    return examples, inputs


@pytest.mark.parametrize("together", [1 << 18, 10])
def test_contacts_by_attention_of_fair_esms_network(tmp_path, within_its_code, monkeypatch, together):
    monkeypatch.setattr(attention, "TOGETHER", together)
    world = World(tmp_path)
    with within_its_code("evaluate", "baseline", "pair"):
        rows = world.run("pair", "contact", BINARY)
    examples, inputs = pair_examples(world, "contact")
    said = world.expected(1, examples, classifier, lambda y, p: log_loss(y[:, 0], p, labels=[0, 1]), (0.01, 0.1, 1.0))
    tested = [row for row in rows if row["fold"] == 1]
    assert len(tested) == CHAINS / FOLDS
    for row in tested:
        own = next(one for one in world.chains if one.id == row["id"])
        assert row["score"][FAR] == pytest.approx(said(inputs(own)[FAR])[:, 1], abs=2e-3)
        assert (row["score"][~FAR] == 0).all() and np.ptp(row["score"][FAR]) > 0.01


def test_distances_by_attention_of_fair_esms_network(tmp_path):
    """Of the 64 bins four occur; one more pair, spread over all 64, keeps the rest above zero."""
    world = World(tmp_path)
    rows = world.run("pair", "distogram", BINS)
    examples, inputs = pair_examples(world, "distogram")
    folds, kinds = world.split["fold"].to_numpy(), [5, 20, 21, 22]
    learnt = sum(len(examples(world.chains[row])[1]) for row in np.flatnonzero(folds != 1))

    def smoothed(x, y, strength):
        said, count = classifier(x, y, strength), len(y)

        def probability(features):
            every = np.zeros((len(features), 64))
            every[:, kinds] = said(features)
            return (count * every + 1 / 64) / (count + 1)

        return probability

    def loss(y, p):
        return -np.log(p[np.arange(len(y)), y[:, 0].astype(int)]).mean()

    said = world.expected(1, examples, smoothed, loss, (0.01, 0.1, 1.0))
    assert learnt > 500
    for row in (row for row in rows if row["fold"] == 1):
        own = next(one for one in world.chains if one.id == row["id"])
        probability, truth = said(inputs(own)[FAR]), TRUTH["distogram"](own)[FAR, 0]
        known = np.isfinite(truth)
        assert row["score"][FAR] == pytest.approx(probability @ share_in_contact(), abs=2e-3)
        assert row["distance"][FAR] == pytest.approx(probability @ bin_centres(), abs=2e-2)
        assert np.isnan(row["distance"][~FAR]).all()
        expected = -np.log(probability[known, truth[known].astype(int)]).mean()
        assert row["cross_entropy"] == pytest.approx(expected, abs=2e-3)


def test_a_protein_that_the_trunk_does_not_read_gets_what_knowing_nothing_says(tmp_path, capsys):
    world = World(tmp_path)
    rows = world.run("residue", "ss3", STATES, max_length=LENGTH - 1)
    assert f"untrained: {CHAINS} of {CHAINS} proteins have no embedding" in capsys.readouterr().err
    frequencies = [
        np.mean([state == own for one, fold in zip(world.chains, world.split["fold"], strict=True) if fold != 0
                 for state in one.ss3]) for own in "HEC"
    ]  # fmt: skip
    first = next(row for row in rows if row["fold"] == 0)
    assert first["score"].reshape(-1, 3) == pytest.approx(np.tile(frequencies, (LENGTH, 1)), abs=1e-6)


def test_without_any_protein_that_the_trunk_reads_angles_are_the_mean_direction(tmp_path):
    world = World(tmp_path)
    rows = world.run("residue", "torsions", TORSIONS, max_length=LENGTH - 1)
    (first, *_) = (row for row in rows if row["fold"] == 0)
    learnt = [one for one, fold in zip(world.chains, world.split["fold"], strict=True) if fold != 0]
    mean = np.nansum(np.concatenate([TRUTH["torsions"](one) for one in learnt]), axis=0).reshape(2, 2)
    expected = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).ravel()
    assert len(rows) == CHAINS
    assert first["score"].reshape(-1, 4) == pytest.approx(np.tile(expected, (LENGTH, 1)), abs=1e-5)


def test_the_trunk_and_the_chains_must_be_there(tmp_path):
    world = World(tmp_path)
    for level, task, target in (("residue", "ss3", STATES), ("pair", "contact", BINARY)):
        with pytest.raises(FoldgraftError, match="give the trunk whose shape it has"):
            world.run(level, task, target, description=None)
    world.split = pd.concat([world.split, world.split.tail(1).assign(id="lost")])
    with pytest.raises(FoldgraftError, match="lost is in no file of targets"):
        world.run("pair", "contact", BINARY)
