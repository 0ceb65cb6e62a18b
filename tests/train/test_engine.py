"""One process, two, and two as Slurm starts them give one head; what the device lacks is said before training."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.records.predictions import PROTEIN
from foldgraft.records.tables import read_frame
from foldgraft.tasks.task import SOLUBILITY, Tasks
from foldgraft.tasks.trained import load_head
from foldgraft.train.engine import Engine
from foldgraft.train.experiment import train
from foldgraft.train.outputs import Outputs
from foldgraft.train.resume import Resume
from foldgraft.train.settings import Experiment

EXPERIMENT = Experiment(
    task="solubility",
    head={"name": "mlp", "hidden": 8, "dropout": 0.0},
    validation="next",
    training={  # the last batch of 13 leaves one process without a share, the last step has one batch
        "epochs": 12, "patience": 12, "batch_size": 13, "accumulate": 2, "l1": 1e-3, "optimizer": {"lr": 0.01},
        "monitor": "metric",
    },
)  # fmt: skip


def command(folder, written: Outputs, *options: str) -> list[str]:
    """`foldgraft train experiment` of the experiment."""
    paths = {
        "--split": [folder.split],
        "--trunk": [folder.weights],
        "--description": [folder.description],
        "--labels": folder.labels,
        "--embeddings": folder.embeddings,
        **{f"--output-{name}": [path] for name, path in vars(written).items()},
    }
    words = [word for option, values in paths.items() for value in values for word in (option, str(value))]
    tasks = Tasks([SOLUBILITY]).model_dump_json()
    settings = EXPERIMENT.model_dump_json(exclude_unset=True)
    start = [sys.executable, "-m", "foldgraft", "train", "experiment", "--experiment", "x"]
    return [*start, "--tasks", tasks, "--settings", settings, *words, *options]


def start(words: list[str], **variables: str) -> subprocess.Popen:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)


def by_fabric(words: list[str]) -> list[subprocess.Popen]:
    """One command, which starts the other process itself."""
    return [start([*words, "--devices", "2"])]


def by_slurm(words: list[str]) -> list[subprocess.Popen]:
    """One process on each of two nodes, with what srun tells them."""
    told = {
        "SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_JOB_ID": str(10_000 + os.getpid() % 9_000), "MASTER_ADDR": "127.0.0.1", "SLURM_LOCALID": "0",
    }  # fmt: skip
    return [start([*words, "--nodes", "2"], SLURM_PROCID=n, SLURM_NODEID=n, **told) for n in ("0", "1")]


SLOW = pytest.mark.skipif(os.environ.get("FOLDGRAFT_KILLS") != "all", reason="runs where FOLDGRAFT_KILLS=all")


@pytest.mark.parametrize("launched", [by_fabric, pytest.param(by_slurm, marks=SLOW)])
def test_two_processes_give_the_head_of_one_also_where_it_was_killed(folder, tmp_path, monkeypatch, launched):
    alone, shared = Outputs.of(tmp_path / "alone"), Outputs.of(tmp_path / "shared")
    inputs = folder.inputs("labels", "embeddings")
    train("x", EXPERIMENT, [SOLUBILITY], inputs, alone)
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Resume, "save", killed_at(5))
        train("x", EXPERIMENT, [SOLUBILITY], inputs, shared)
    tasks = launched(command(folder, shared))
    said = [task.communicate(timeout=120)[1] for task in tasks]
    assert not any(task.returncode for task in tasks), said
    assert said[0].count("going on after epoch 4 of an earlier attempt") == 1
    assert not (shared.folder / ".resume").exists()
    one, two = (load_head(written.head).members[0].state_dict() for written in (alone, shared))
    for name, tensor in one.items():
        assert torch.allclose(two[name], tensor, atol=1e-6), name
    for first, second in zip(*(pd.read_csv(w.history).to_numpy()[:, 1:5] for w in (alone, shared)), strict=True):
        assert second == pytest.approx(first, abs=1e-6)
    scores = [np.vstack(read_frame(w.predictions / "solubility.parquet", PROTEIN)["score"]) for w in (alone, shared)]
    assert np.abs(scores[0] - scores[1]).max() < 1e-6


class KilledError(Exception):
    """What stands for a signal."""


def killed_at(epoch: int):
    """`Resume.save`, until it is asked for the state after that epoch."""
    saved = []

    def save(resume: Resume, *state) -> None:
        saved.append(state)
        if len(saved) == epoch:
            raise KilledError
        original(resume, *state)

    original = Resume.save
    return save


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"precision": "float16"}, r"training\.precision: float16 needs a GPU, and there is none"),
        ({"nodes": 2}, r"--nodes: start the 2 processes with srun, one for each device"),
    ],
)
def test_what_the_machine_lacks_is_said_in_a_line(values, words):
    with pytest.raises(FoldgraftError, match=words):
        Engine(kind="cpu", **values)
