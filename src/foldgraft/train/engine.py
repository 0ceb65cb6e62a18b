"""Devices, precision and processes of a training, from Lightning Fabric: one CPU, one GPU, several, and several nodes
under Slurm are the same code.

The processes share out each batch, or the batches of a step, so the step is the same however many there are. Gradients
are summed once a step, not averaged as DDP does: a share may be empty, and a step weighs what is known in all shares.
"""

import os
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from io import StringIO
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from foldgraft.errors import FoldgraftError
from foldgraft.models.device import pick


class _Mixed(MixedPrecision):
    """Products of matrices in half precision; inputs stay as they are, since heads standardise them in float32."""

    def convert_input(self, data: Any) -> Any:
        return data


class Engine:
    """What a training runs on.

    Parameters
    ----------
    devices : int
        of each node: GPUs, or processes where there is no GPU.
    nodes : int
        above 1, `srun` (or `torchrun`) starts the processes, one for each device.
    precision : one of float32, bfloat16, float16
    kind : str
        `cpu` or `cuda`; by default what there is.

    Raises
    ------
    FoldgraftError
        if the device lacks the precision, or there are too few devices.
    """

    def __init__(self, devices: int = 1, nodes: int = 1, precision: str = "float32", kind: str = ""):
        kind = kind or pick().type
        _check(kind, devices, nodes, precision)
        half = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}.get(precision)
        self._precision = _Mixed(half, kind) if half else Precision()
        self._fresh = self._precision.state_dict()
        several = devices * nodes > 1
        plugins: list[Any] = [self._precision]
        if several and _started_by_srun(devices * nodes):
            # Lightning asks for it; Slurm tells it only where the job asked for tasks by the node.
            os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(devices))
        else:
            plugins.append(LightningEnvironment())
        self._fabric = Fabric(
            accelerator=kind, devices=devices, num_nodes=nodes, strategy="ddp" if several else "auto", plugins=plugins
        )
        self.several, self.device = several, self._fabric.device

    @property
    def rank(self) -> int:
        """Number of this process, from 0; the first one writes the results."""
        return self._fabric.global_rank

    @property
    def share(self) -> tuple[int, int]:
        """Number of this process, and how many there are."""
        return self._fabric.global_rank, self._fabric.world_size

    def launch(self) -> None:
        """Start the other processes of this node, which run the same command, and wait until all have come here."""
        self._fabric.launch()

    def wait(self) -> None:
        """Wait for the other processes."""
        self._fabric.barrier()

    def quiet(self) -> AbstractContextManager:
        """Let the first process alone tell how it goes on; errors are no part of it."""
        return redirect_stderr(StringIO()) if self.rank else nullcontext()

    def setup(self, optimizer: Optimizer, scaler: dict[str, Any] | None = None) -> Any:
        """The optimizer as `step` takes it; `scaler` is what `scaler` gave of a training that goes on."""
        self._precision.load_state_dict(scaler or self._fresh)
        return self._fabric.setup_optimizers(optimizer)

    @property
    def scaler(self) -> dict[str, Any]:
        """The scale of float16's gradients, as JSON takes it; empty in other precisions."""
        return self._precision.state_dict()

    def autocast(self) -> AbstractContextManager:
        """Within it products of matrices are computed in the engine's precision."""
        return self._fabric.autocast()

    def backward(self, value: Tensor) -> None:
        """Add the gradients of this process's part of the loss."""
        self._fabric.backward(value)

    def step(self, head: nn.Module, optimizer: Any, longest: float) -> None:
        """Sum the gradients of all processes, shorten them to `longest`, and step."""
        if self._fabric.world_size > 1:
            trained = [p for p in head.parameters() if p.requires_grad and p.numel()]
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            gradients = [p.grad for p in trained]
            vector_to_parameters(self.sum(parameters_to_vector(gradients)), gradients)
        self._fabric.clip_gradients(head, optimizer, max_norm=longest, error_if_nonfinite=False)
        optimizer.step()

    def sum(self, values: Tensor) -> Tensor:
        """Over all processes; the same numbers in each."""
        return self._fabric.all_reduce(values.to(self.device), reduce_op="sum") if self.several else values


def _check(kind: str, devices: int, nodes: int, precision: str) -> None:
    if precision == "float16" and kind != "cuda":
        raise FoldgraftError("training.precision: float16 needs a GPU, and there is none; take bfloat16 or float32")
    if precision == "bfloat16" and kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise FoldgraftError("training.precision: this GPU has no bfloat16; take float16 or float32")
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise FoldgraftError(f"--devices: {devices} are asked for, and this node has {torch.cuda.device_count()} GPUs")
    if nodes > 1 and "NODE_RANK" not in os.environ and not _started_by_srun(devices * nodes):
        raise FoldgraftError(f"--nodes: start the {devices * nodes} processes with srun, one for each device")


def _started_by_srun(processes: int) -> bool:
    """Whether this is one of so many tasks of a step of a Slurm job; a job's own script is none."""
    return os.environ.get("SLURM_STEP_NUM_TASKS") == str(processes)
