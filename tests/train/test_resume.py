"""A training that was killed goes on to the same weights; a state of another configuration is refused."""

import pytest
import torch

from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.sequence import MLP
from foldgraft.models.heads.settings import MLPSettings
from foldgraft.models.optimizers import OPTIMIZERS
from foldgraft.tasks.examples import Batch
from foldgraft.tasks.target import Binary
from foldgraft.train.engine import Engine
from foldgraft.train.loop import Run, Score, fit, seed_everything
from foldgraft.train.losses import Loss
from foldgraft.train.resume import Resume
from foldgraft.train.settings import Training

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
    assert epochs == 2 and "is of other settings or proteins; training starts anew" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:50])
    _, _, epochs = train(path, epochs=2, key="other")
    assert epochs == 2 and "cannot be read" in capsys.readouterr().err
