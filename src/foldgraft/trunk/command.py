"""`foldgraft trunk`: download, convert or pretrain the trunk."""

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from foldgraft.errors import FoldgraftError
from foldgraft.models.device import pick
from foldgraft.models.trunk import Trunk
from foldgraft.records.files import atomic, checked_id, write_json
from foldgraft.settings import option
from foldgraft.trunk import checkpoint as files
from foldgraft.trunk.card import Evidence
from foldgraft.trunk.corpus import Corpus, divide, known_sequences, near, read_unique, test_sequences
from foldgraft.trunk.download import download as fetch
from foldgraft.trunk.leg import Files as LegFiles
from foldgraft.trunk.leg import leg as run_leg
from foldgraft.trunk.package import package as write_package
from foldgraft.trunk.pretrain import HISTORY
from foldgraft.trunk.pretrain import pretrain as train
from foldgraft.trunk.settings import PretrainSettings, TrunkSettings
from foldgraft.trunk.texts import prepare, read_texts

app = typer.Typer(no_args_is_help=True, add_completion=False)

Weights = Annotated[Path, typer.Option(help="model.safetensors to write.")]
Description = Annotated[Path, typer.Option(help="trunk.json to write.")]
Text = Annotated[Path, typer.Option(help="The text to learn from, as `trunk corpus` wrote it.")]
Valid = Annotated[Path, typer.Option(help="Text of the sequences to measure on.")]
Configuration = Annotated[TrunkSettings, option(TrunkSettings)]


@app.callback()
def trunk() -> None:
    """Provide the language-model trunk: tensors in safetensors, and a description of where they come from."""


@app.command()
def download(
    weights: Weights,
    description: Description,
    downloads: Annotated[Path, typer.Option(help="Folder that keeps the published files, shared by all runs.")],
    settings: Configuration = TrunkSettings(),
) -> None:
    """Download a published model of fair-esm and its contact regression."""
    if settings.published is None:
        raise FoldgraftError("trunk.model: name the model to download")
    model, regression = fetch(settings.published, downloads, settings.url)
    files.convert_fair(model, regression, weights, description, {"kind": "download", "url": settings.url})


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Option(help="ESM-2, ESM-1b or ESM-1v file of fair-esm (.pt), or a trunk of Foldgraft.")
    ],
    weights: Weights,
    description: Description,
) -> None:
    """Convert a local checkpoint."""
    files.convert(checkpoint, weights, description)


@app.command()
def pretrain(
    split: Annotated[Path, typer.Option(help="split.parquet: proteins near its test split are left out.")],
    weights: Weights,
    description: Description,
    history: Annotated[Path, typer.Option(help="history.csv to write.")],
    sequences: Annotated[Path | None, typer.Option(help="FASTA of the sequences to learn from ...")] = None,
    text: Annotated[list[Path] | None, typer.Option(help="... or a text of one per line; may be repeated.")] = None,
    valid: Annotated[Path | None, typer.Option(help="Text of the sequences to measure on.")] = None,
    start: Annotated[Path | None, typer.Option(help="model.safetensors to go on from, trunk.json beside it.")] = None,
    index: Annotated[list[Path] | None, typer.Option(help="index.parquet of the chains; may be repeated.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="A shard of labels; may be repeated.")] = None,
    cross_validated: Annotated[
        list[str] | None, typer.Option(help="Set (structures, labels) that is tested on fold by fold; may be repeated.")
    ] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Pretrain a small trunk by masked-language modelling; interrupted and run again, it goes on where it was."""
    plan = _plan(settings)
    if (sequences is None) == (text is None):
        raise FoldgraftError("give either --sequences or --text")
    sequence_of = read_texts(text) if text else read_unique(sequences)
    test = test_sequences(split, index or [], labels or [], cross_validated or [])
    dropped = near(sequence_of, test, plan.test_identity, plan.test_coverage, weights, torch.get_num_threads())
    kept = {name: sequence for name, sequence in sequence_of.items() if name not in dropped}
    parts = divide(kept, plan.valid_sequences, read_texts([valid]) if valid else None)
    first = Trunk.load(start, start.with_name("trunk.json"), torch.device("cpu")) if start else None
    state = weights.with_name("state.safetensors")
    network, rows, summary = train(*parts, plan, pick(), state, first)
    summary |= {"sequences": len(sequence_of), "test_proteins": len(test), "left_out_near_test": len(dropped)}
    with atomic(history) as temporary:
        pd.DataFrame(rows, columns=HISTORY).to_csv(temporary, index=False)
    shape = network.architecture
    name = f"{first.name}-continued" if first else f"pretrained-{shape.layers}x{shape.width}"
    source = {"kind": "pretrain"} | ({"from": first.name, "from_sha256": first.sha256} if first else {})
    files.write_trunk(weights, description, network, name, {"source": source, "pretraining": summary})
    state.unlink(missing_ok=True)


@app.command()
def corpus(
    text: Annotated[list[Path], typer.Option(help="Text of one sequence per line, plain or .xz; may be repeated.")],
    output: Annotated[Path, typer.Option(help="The text to learn from (.txt.xz) to write.")],
    summary: Annotated[Path, typer.Option(help="Its description (.json) to write.")],
    index: Annotated[list[Path] | None, typer.Option(help="index.parquet of chains to keep away from.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="A shard of labelled sequences to keep away from.")] = None,
    away: Annotated[list[Path] | None, typer.Option(help="FASTA of further proteins to keep away from.")] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Leave out of a large text what is near proteins that trunks are evaluated on; each option may be repeated."""
    plan = _plan(settings)
    tested = set(known_sequences(index or [], labels or [])["sequence"])
    tested.update(sequence for fasta in away or [] for sequence in read_unique(fasta).values())
    write_json(summary, prepare(text, tested, output, plan.test_identity, plan.test_coverage, torch.get_num_threads()))


@app.command()
def leg(
    text: Text,
    valid: Valid,
    state: Annotated[Path, typer.Option(help="State (.safetensors) of the legs so far; written if it is not there.")],
    minutes: Annotated[float | None, typer.Option(help="Minutes of this leg ...")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="... or its steps.")] = None,
    final: Annotated[Path | None, typer.Option(help="Cool down in this leg, and write the state here instead.")] = None,
    carry: Annotated[Path | None, typer.Option(help="A smaller copy of the state to write as well.")] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Pretrain for some minutes or steps from the state of the leg before."""
    if (minutes is None and steps is None) or (minutes is not None and not 0 < minutes < math.inf):
        raise FoldgraftError("give --minutes or --steps of the leg, above 0")
    plan = _plan(settings)
    where = LegFiles(state, final, carry)
    run_leg(*_texts(text, valid, plan), plan, where, steps, minutes, pick())


@app.command()
def package(
    text: Text,
    valid: Valid,
    state: Annotated[Path, typer.Option(help="State that a cool-down wrote.")],
    summary: Annotated[Path, typer.Option(help="What `trunk corpus` wrote about the text (.json).")],
    name: Annotated[str, typer.Option(help="Name of the trunk.")],
    folder: Annotated[Path, typer.Option(help="Where model.safetensors, trunk.json and README.md go.")],
    manifest: Annotated[Path | None, typer.Option(help="CSV of sources: licence, sequences_in_corpus.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="results/<run> of an evaluation; may be repeated.")] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Make a trunk to hand on of a finished pretraining: float16 tensors, their description and a model card."""
    plan = _plan(settings)
    parts = _texts(text, valid, plan)
    evidence = Evidence.read(text, summary, manifest, run or [])
    write_package(state, *parts, plan, checked_id(name, "--name"), evidence, folder)


def _plan(settings: TrunkSettings) -> PretrainSettings:
    if settings.pretrain is None:
        raise FoldgraftError("trunk.pretrain: give the shape and the budget of the trunk to pretrain")
    return settings.pretrain


def _texts(text: Path, valid: Path, plan: PretrainSettings) -> tuple[Corpus, Corpus]:
    return divide(read_texts([text]), plan.valid_sequences, read_texts([valid]))
