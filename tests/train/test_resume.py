"""A training that was killed goes on to the same weights; a state of another configuration is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.sequence import MLP
from foldgraft.models.heads.settings import MLPSettings
from foldgraft.models.optimizers import OPTIMIZERS
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records import origin
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents, Embeddings
from foldgraft.tasks.covariates import Covariates
from foldgraft.tasks.examples import Batch
from foldgraft.tasks.pair_features import Coevolution
from foldgraft.tasks.pairs import Chain, PairExamples
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.target import Binary
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.vectors import StoredVectors
from foldgraft.train import experiment as recipe
from foldgraft.train.engine import Engine
from foldgraft.train.loop import Run, Score, fit, seed_everything
from foldgraft.train.losses import Loss
from foldgraft.train.outputs import Outputs
from foldgraft.train.resume import Resume, digest
from foldgraft.train.settings import Experiment, Training

LOSS = Loss([Binary()], ["bce"], [1.0], [None])


class Shuffled:
    """Batches in another order each epoch."""

    def __init__(self, generator):
        self.generator = generator
        torch.manual_seed(7)
        self.x = torch.randn(40, 6)
        self.y = (self.x[:, :1] + 0.5 * torch.randn(40, 1) > 0).float()

    def __len__(self):
        return 5

    def __iter__(self):
        for rows in torch.randperm(40, generator=self.generator).split(8):
            yield Batch((self.x[rows],), (self.y[rows],))


class KilledError(Exception):
    """What stands for a signal."""


def train(path, optimizer="adamw", killed_at=None, key="k", epochs=8):
    """Train with dropout; raise in the validation of an epoch."""
    run = Run(Engine(kind="cpu"), 3, resume=Resume(path, key))
    data = Shuffled(run.generator)
    seed_everything(3)
    head = Head(MLP(6, MLPSettings(hidden=8, dropout=0.4)), [1])
    epochs_seen = []

    def validate(head):
        epochs_seen.append(1)
        if killed_at is not None and len(epochs_seen) == killed_at:
            raise KilledError
        return Score(LOSS.mean(head((data.x,)), [data.y]).item(), 0.0)

    training = Training.model_validate(
        {
            "epochs": epochs,
            "patience": 8,
            "optimizer": {"name": optimizer, "lr": 0.01},
            "schedule": {"name": "cosine", "warmup_steps": 3},
        }
    )
    done = fit(head, data, validate, LOSS, training, run)
    return head, done, len(epochs_seen)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("killed_at", [1, 4])
def test_a_killed_training_ends_at_the_same_weights(tmp_path, optimizer, killed_at):
    whole, history, _ = train(tmp_path / "whole.safetensors", optimizer)
    with pytest.raises(KilledError):
        train(tmp_path / "killed.safetensors", optimizer, killed_at)
    again, resumed, epochs = train(tmp_path / "killed.safetensors", optimizer)
    assert epochs == 8 - (killed_at - 1)  # the epochs that were finished are not done again
    for name, tensor in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    losses = [[row["valid_loss"] for row in fitted.history] for fitted in (history, resumed)]
    assert losses[0] == losses[1] and history.best_epoch == resumed.best_epoch


def test_a_finished_training_is_not_done_again(tmp_path):
    first, _, _ = train(tmp_path / "r.safetensors")
    again, _, epochs = train(tmp_path / "r.safetensors")
    assert epochs == 0
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in first.state_dict().items())


def test_a_state_of_another_configuration_or_damaged_is_refused(tmp_path, capsys):
    path = tmp_path / "r.safetensors"
    train(path, epochs=2)
    _, _, epochs = train(path, epochs=2, key="other")
    assert epochs == 2 and "is of other settings, inputs or code; training starts anew" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:50])
    _, _, epochs = train(path, epochs=2, key="other")
    assert epochs == 2 and "cannot be read" in capsys.readouterr().err


def test_members_trained_on_other_embeddings_are_not_taken_over(folder, tmp_path, monkeypatch, capsys):
    """As after `embed.precision` changed: the proteins, the trunk and the experiment are the same."""
    one = Experiment(task="solubility", head={"name": "mlp", "hidden": 4}, validation="next", training={"epochs": 2})
    inputs = folder.inputs("labels", "embeddings")

    def leave(inputs) -> str:
        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(recipe.Recipe, "finish", killed)
            recipe.train("x", one, [SOLUBILITY], inputs, Outputs.of(tmp_path / "x"))
        return capsys.readouterr().err

    def killed(*_):
        raise KilledError

    assert "earlier attempt" not in leave(inputs) and list((tmp_path / "x/.resume").iterdir())
    assert "going on after epoch 2 of an earlier attempt" in leave(inputs)
    other = replace(inputs, embeddings=[tmp_path / path.name for path in folder.embeddings])
    torch.manual_seed(5)
    wild = Trunk(build_network(folder.trunk().network.architecture), "another", "")
    for path, kept in zip(other.embeddings, folder.embeddings, strict=True):
        stored = Embeddings([kept])
        sequences = pd.concat(map(pd.read_parquet, [*folder.labels, *folder.targets]))
        sequences = sequences.drop_duplicates("sequence_sha256").set_index("sequence_sha256")["sequence"]
        contents = Contents(stored.trunk, stored.depth, stored.width)
        write_embeddings(path, ((name, *wild.embed_layers([sequences[name]])) for name in stored), contents)
    said = leave(other)
    assert "is of other settings, inputs or code; training starts anew" in said and "earlier attempt" not in said


def test_the_key_knows_covariates_coevolution_and_what_the_job_was_made_from(folder, monkeypatch):
    table = pd.DataFrame({"id": ["a"], "sequence": ["MK"], "sequence_sha256": ["1"], "fold": [0]})
    solubility, contacts = (
        Experiment(task="solubility", head="linear", covariates=("t",)),
        Experiment(task="contact"),
    )

    def proteins(value: float) -> str:
        covariates = Covariates(["t"], np.array([[value]], dtype=np.float32))
        truth = [[np.ones((1, 1), dtype=np.float32)]]
        return digest(solubility, SequenceExamples([SOLUBILITY], table, truth, "tokens", None, covariates), "t")

    def pairs(score: float, neff: float) -> str:
        evidence = Coevolution(np.full(45, score, dtype=np.float32), neff)
        chain = Chain("a", "M" * 10, "0" * 64, truth=(np.zeros(45, dtype=np.uint8),), coevolution=evidence)
        head = SimpleNamespace(name="logistic")
        return digest(contacts, PairExamples([BUILT_IN["contact"]], [chain], head, [], folder.trunk(), None), "t")

    assert proteins(1) == proteins(1) != proteins(2)
    assert pairs(1, 3) == pairs(1, 3) and len({pairs(1, 3), pairs(2, 3), pairs(1, 4)}) == 3
    stored = Embeddings(folder.embeddings)
    assert StoredVectors(stored, [1]).digest() != StoredVectors(stored, [2]).digest()
    before = proteins(1)
    monkeypatch.setattr(origin, "_job", origin.Job("train", "other code"))
    assert proteins(1) != before
