"""The command of the train stage."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.models.trunk import Trunk
from foldgraft.settings import option
from foldgraft.tasks.task import Tasks
from foldgraft.train import experiment as recipe
from foldgraft.train.engine import Engine
from foldgraft.train.inputs import Inputs
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import Experiment

app = typer.Typer(no_args_is_help=True)


@app.callback()
def train() -> None:
    """Fit a head on the frozen trunk."""


@app.command(name="experiment")
def train_experiment(
    experiment: Annotated[str, typer.Option(help="Name of the experiment.")],
    split: Annotated[Path, typer.Option(help="Table of the split, from the cluster stage.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    tasks: Annotated[Tasks, option(Tasks, "--tasks")],
    output_head: Annotated[Path, typer.Option(help="Trained members, as their best epochs left them, safetensors.")],
    output_last: Annotated[Path, typer.Option(help="The members as the last epoch left them, safetensors.")],
    output_history: Annotated[Path, typer.Option(help="Losses and scores per epoch, CSV.")],
    output_config: Annotated[Path, typer.Option(help="The experiment with all keys resolved, YAML.")],
    output_checks: Annotated[Path, typer.Option(help="Checks before training and the frozen trunk, JSON.")],
    output_layers: Annotated[Path, typer.Option(help="What each layer is worth, if several are read, CSV.")],
    output_adapters: Annotated[Path, typer.Option(help="Folder of the members' LoRA, as PEFT keeps them.")],
    output_predictions: Annotated[Path, typer.Option(help="Folder of the predictions, one table per task.")],
    labels: Annotated[list[Path] | None, typer.Option(help="Shard of labelled sequences; repeat for each.")] = None,
    targets: Annotated[list[Path] | None, typer.Option(help="Shard of structure targets; repeat for each.")] = None,
    coevolution: Annotated[
        list[Path] | None, typer.Option(help="Shard of coevolution scores, named like its targets; repeat.")
    ] = None,
    embeddings: Annotated[list[Path] | None, typer.Option(help="Shard of embeddings; repeat for each.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs of each node that train together; processes without.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes; if several, srun starts a process for each device.")] = 1,
    settings: Annotated[Experiment, option(Experiment)] = Experiment(task="solubility"),
) -> None:
    """Train the heads of one experiment, whatever its task."""
    engine = Engine(devices, nodes, settings.training.precision)
    inputs = Inputs(
        split=split,
        trunk=Trunk.load(trunk, description, engine.device),
        labels=labels or [],
        targets=targets or [],
        coevolution=coevolution or [],
        embeddings=embeddings or [],
    )
    outputs = Outputs(
        head=output_head,
        last=output_last,
        history=output_history,
        config=output_config,
        checks=output_checks,
        layers=output_layers,
        adapters=output_adapters,
        predictions=output_predictions,
    )
    recipe.train(experiment, settings, tasks.root, inputs, outputs, engine)
