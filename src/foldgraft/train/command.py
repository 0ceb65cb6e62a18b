"""The commands of the train stage."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.models.trunk import Trunk
from foldgraft.records.embeddings import Embeddings
from foldgraft.settings import option
from foldgraft.train import contact, solubility
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import ContactExperiment, SolubilityExperiment
from foldgraft.train.solubility_data import read_table

app = typer.Typer(no_args_is_help=True)


@app.callback()
def train() -> None:
    """Fit a head on the frozen trunk."""


@app.command(name="solubility")
def train_solubility(
    experiment: Annotated[str, typer.Option(help="Name of the experiment.")],
    split: Annotated[Path, typer.Option(help="Table of the split, from the cluster stage.")],
    labels: Annotated[list[Path], typer.Option(help="Shard of labelled sequences; repeat for each.")],
    embeddings: Annotated[list[Path], typer.Option(help="Shard of embeddings of the labelled sequences; repeat.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk that made the embeddings.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    head: Annotated[Path, typer.Option(help="Output: trained members, safetensors.")],
    history: Annotated[Path, typer.Option(help="Output: losses and scores per epoch, CSV.")],
    config: Annotated[Path, typer.Option(help="Output: the experiment with all keys resolved, YAML.")],
    checks: Annotated[Path, typer.Option(help="Output: checks before training and the frozen trunk, JSON.")],
    predictions: Annotated[Path, typer.Option(help="Output: scores of validation and test proteins, parquet.")],
    settings: Annotated[SolubilityExperiment, option(SolubilityExperiment)] = SolubilityExperiment(),
) -> None:
    """Train a solubility head from cached embeddings."""
    cached = Embeddings(embeddings)
    table = read_table(split, labels, cached)
    outputs = Outputs(head, history, config, checks, predictions)
    solubility.train(experiment, settings, table, cached, Trunk.load(trunk, description), outputs)


@app.command(name="contact")
def train_contact(
    experiment: Annotated[str, typer.Option(help="Name of the experiment.")],
    split: Annotated[Path, typer.Option(help="Table of the split, from the cluster stage.")],
    targets: Annotated[list[Path], typer.Option(help="Shard of structure targets; repeat for each.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    head: Annotated[Path, typer.Option(help="Output: trained members, safetensors.")],
    history: Annotated[Path, typer.Option(help="Output: losses and scores per epoch, CSV.")],
    config: Annotated[Path, typer.Option(help="Output: the experiment with all keys resolved, YAML.")],
    checks: Annotated[Path, typer.Option(help="Output: checks before training and the frozen trunk, JSON.")],
    predictions: Annotated[Path, typer.Option(help="Output: contact maps of validation and test chains, parquet.")],
    coevolution: Annotated[
        list[Path] | None, typer.Option(help="Shard of coevolution scores, named like its targets; repeat.")
    ] = None,
    embeddings: Annotated[
        list[Path] | None, typer.Option(help="Shard of embeddings of the chains, for the feature `embedding`; repeat.")
    ] = None,
    settings: Annotated[ContactExperiment, option(ContactExperiment)] = ContactExperiment(),
) -> None:
    """Train a contact head on the trunk's attention maps."""
    inputs = contact.Inputs(
        split=split,
        targets=targets,
        coevolution=coevolution or [],
        embeddings=Embeddings(embeddings) if embeddings else None,
        trunk=Trunk.load(trunk, description),
    )
    contact.train(experiment, settings, inputs, Outputs(head, history, config, checks, predictions))
