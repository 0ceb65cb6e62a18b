"""The `foldgraft cluster` commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from foldgraft import mmseqs
from foldgraft.cluster import audit as auditing
from foldgraft.cluster import folds, verdict
from foldgraft.cluster.group import CLUSTERS
from foldgraft.cluster.group import group as group_sequences
from foldgraft.cluster.proteins import STRUCTURES, read_proteins, unique_sequences
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.cluster.structural import structural_audit
from foldgraft.records.files import write_json
from foldgraft.records.rejects import write_rejects
from foldgraft.records.split import LEAKAGE, SPLIT, TEST_FOLD
from foldgraft.records.tables import read_frame, write_frame
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Index = Annotated[Path | None, typer.Option("--index", help="curate/index.parquet, if there are structures.")]
Labels = Annotated[list[Path] | None, typer.Option("--labels", help="A shard of fetch/labels; may be repeated.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of mmseqs.")]
Given = Annotated[ClusterSettings, option(ClusterSettings)]


@app.callback()
def cluster() -> None:
    """Group sequences, split them, and audit the split."""


@app.command()
def group(
    clusters: Annotated[Path, typer.Option(help="Table to write: the component of each sequence.")],
    index: Index = None,
    labels: Labels = None,
    threads: Threads = 1,
    settings: Given = ClusterSettings(),
) -> None:
    """Group all sequences into components of related ones."""
    sequences = unique_sequences(read_proteins(index, labels or []))
    with mmseqs.scratch(clusters) as folder:
        write_frame(clusters, group_sequences(sequences, settings, folder, threads), CLUSTERS)


@app.command()
def split(
    clusters: Annotated[Path, typer.Option(help="Table of components that `group` wrote.")],
    split: Annotated[Path, typer.Option(help="Table to write: set, fold and role of each protein.")],
    rejects: Annotated[Path, typer.Option(help="Table to write: proteins that serve for nothing, and why.")],
    summary: Annotated[Path, typer.Option(help="JSON to write: of each set, how it was split and what that cost.")],
    index: Index = None,
    labels: Labels = None,
    tried: Annotated[list[str] | None, typer.Option(help="A set from which no head learns; may be repeated.")] = None,
    settings: Given = ClusterSettings(),
) -> None:
    """Split the proteins by whole components, groups, or the day of release."""
    proteins = read_proteins(index, labels or [])
    result = folds.split(proteins, read_frame(clusters, CLUSTERS), settings, tried or [])
    write_frame(split, result.rows, SPLIT)
    write_rejects(rejects, result.rejects)
    write_json(summary, result.summary)
    for sentence in folds.sentences(result.summary):
        print(sentence, file=sys.stderr)


@app.command()
def audit(
    split: Annotated[Path, typer.Option(help="Table of the split that `split` wrote.")],
    leakage: Annotated[Path, typer.Option(help="Table to write: each test protein's nearest training protein.")],
    verdict_out: Annotated[Path, typer.Option("--verdict", help="JSON to write: clean or leaking, per set, in words.")],
    index: Index = None,
    labels: Labels = None,
    cross_validated: Annotated[
        list[str] | None, typer.Option(help="A set of which every fold is tested, e.g. labels; may be repeated.")
    ] = None,
    threads: Threads = 1,
    settings: Given = ClusterSettings(),
) -> None:
    """Search every test protein among the training proteins."""
    roles = read_frame(split, SPLIT, ["set", "id", "split", "fold"])
    proteins = read_proteins(index, labels or []).merge(roles, how="inner")
    with mmseqs.scratch(leakage) as folder:
        rows = auditing.audit(proteins, settings, folder, threads, cross_validated or [])
    verdicts = verdict.verdict(rows, settings, folds.published(proteins, settings))
    write_frame(leakage, rows, LEAKAGE)
    write_json(verdict_out, verdicts)
    for name, entry in verdicts.items():
        print(f"{name}: {entry['verdict']}. {entry['text']}", file=sys.stderr)
    verdict.enforce(verdicts, settings)


@app.command(name="external-audit")
def audit_external(
    table: Annotated[str, typer.Option(help="The labelled table on which a head of another is tried.")],
    source: Annotated[str, typer.Option(help="The set of proteins that this head learnt from.")],
    split: Annotated[Path, typer.Option(help="Table of the split that `split` wrote.")],
    output: Annotated[
        Path, typer.Option(help="Table to write: of each protein the nearest that the head learnt from.")
    ],
    index: Index = None,
    labels: Labels = None,
    all_folds: Annotated[
        bool, typer.Option("--all-folds", help="Every fold of the set trains some member; else the test fold does not.")
    ] = False,
    threads: Threads = 1,
    settings: Given = ClusterSettings(),
) -> None:
    """Search every protein of a table among those that the head of another one learnt from."""
    roles = read_frame(split, SPLIT, ["set", "id", "fold"])
    proteins = read_proteins(index, labels or []).merge(roles, how="inner")
    learnt = (proteins["set"] == source) & (all_folds | (proteins["fold"] != TEST_FOLD))
    proteins = proteins[(proteins["set"] == table) | learnt]
    with mmseqs.scratch(output) as folder:
        rows = auditing.audit_external(proteins, table, settings, folder, threads)
    write_frame(output, rows, LEAKAGE)
    near = int(rows["leak"].sum())
    print(
        f"{table}: {near} of {len(rows)} proteins have a relative in {source}, which the head learnt from",
        file=sys.stderr,
    )


@app.command(name="structural-audit")
def audit_structures(
    split: Annotated[Path, typer.Option(help="Table of the split that `split` wrote.")],
    chains: Annotated[list[Path], typer.Option(help="Shard of curated chains; repeat for each.")],
    output: Annotated[Path, typer.Option(help="JSON to write: test chains whose fold a training chain has.")],
    threads: Threads = 1,
) -> None:
    """Search the fold of every test chain among the others, where foldseek is at hand."""
    roles = read_frame(split, SPLIT, ["set", "id", "split"])
    of_chains = roles[roles["set"] == STRUCTURES]
    with mmseqs.scratch(output) as folder:
        result = structural_audit(chains, dict(zip(of_chains.id, of_chains.split, strict=True)), folder, threads)
    write_json(output, result)
    print(result["text"], file=sys.stderr)
