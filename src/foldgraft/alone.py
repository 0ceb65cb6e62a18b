"""`foldgraft predict my.fasta`: heads that ship with the package, or files, without a run.

The trunk is given, found on this machine, or fetched; the tables are those of the predict stage.
"""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from typer.core import TyperGroup

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.fingerprint import TOLERANCE
from foldgraft.predict.command import app as stage
from foldgraft.predict.contacts import Outputs, write_maps
from foldgraft.predict.heads import load_heads
from foldgraft.predict.matched import match
from foldgraft.predict.new import pair_scores, predict
from foldgraft.predict.page import Beside, page
from foldgraft.predict.painted import paint, painted
from foldgraft.predict.scan import scan as scan_variants
from foldgraft.predict.scan import write_scan
from foldgraft.predict.sequences import Candidate, one, records_of
from foldgraft.predict.tables import predicted_table
from foldgraft.predict.training import training_proteins
from foldgraft.predict.variants import read_tags, substitutions, tagged, truncations
from foldgraft.predict.view import viewer_script
from foldgraft.records.files import STANDARD, text_output
from foldgraft.tasks.trained import Trained, load_head
from foldgraft.trunk.checkpoint import open_checkpoint
from foldgraft.trunk.find import provide, within
from foldgraft.trunk.settings import DEFAULT_MODEL

HEADS = Path(str(files("foldgraft") / "heads"))
"""Holds the heads that ship with the package, a model card beside each."""
DEFAULT_HEAD = "solubility"
CONTACT_HEAD = "contacts"
DEFAULT_COMMAND = "fasta"
NEAR = 0.3
"""Largest distance of a trunk's fingerprint from that of a head's own; told from `TOLERANCE` on. Moving all weights of
ESM-2 8M by normal noise of 1e-3 makes it 0.07, and by 1e-4 in the direction worst for the head 0.16: ROC-AUC falls from
0.744 to 0.743 and 0.696 (`benchmarks/benchmark_perturbed.py`)."""
TAGS = Path(str(files("foldgraft.predict") / "tags.csv"))
Trunk8M = Annotated[
    Path | None,
    typer.Option(help="The trunk, ESM-2 8M: folder or file of any layout; found or downloaded once by default."),
]


class Fasta(TyperGroup):
    """A group of commands in which what is none of them is a FASTA file to predict for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=Fasta, no_args_is_help=True)
app.registered_commands += stage.registered_commands


@app.callback()
def describe() -> None:
    """Predict for new sequences: `foldgraft predict my.fasta`, or one of the commands below."""


@app.command()
def fasta(
    fasta: Annotated[
        Path, typer.Argument(metavar="FASTA", help="Sequences, plain or gzip-compressed; - reads standard input.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", dir_okay=False, help="Table to write, CSV; standard output by default, or with -."
        ),
    ] = None,
    head: Annotated[
        list[str], typer.Option(help="A head that ships with the package, or the file of one; may be repeated.")
    ] = [DEFAULT_HEAD],  # noqa: B006 (typer copies it)
    trunk: Trunk8M = None,
    training: Annotated[
        Path | None,
        typer.Option(
            help="The labelled proteins that the head learnt from, CSV or FASTA, or the folder of its run: adds the "
            "nearest of them to each row."
        ),
    ] = None,
) -> None:
    """Predict for the sequences of a FASTA file, at once: no run, no training."""
    paths, given = [head_file(name) for name in head], records_of(fasta)
    if training:
        mmseqs.version()  # before the trunk is opened, or fetched
    frozen = open_trunk(trunk)
    heads = heads_on(frozen, paths)
    learnt = training_proteins(training, heads) if training else None
    tally = predicted_table(output, given, heads, frozen, learnt)
    written = f", {output}" if output not in (None, STANDARD) else ""
    if heads[0].info.level == "pair":  # a table of maps has no column for it
        for one in tally.rejected:
            print(f"{one.id[:60]}: {one.reason}", file=sys.stderr)
        print(f"{tally}{written}", file=sys.stderr)
    else:
        print(f"{tally.why('the column reason')}{written}", file=sys.stderr)


@app.command()
def scan(
    fasta: Annotated[Path, typer.Argument(metavar="FASTA", help="One protein; - reads standard input.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="Page to write, HTML; - for standard output.")
    ],
    table: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Table of all variants to write as well, CSV.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="Tags and fusion partners to try, CSV with name, end (N or C) and sequence.")
    ] = None,
    structure: Annotated[
        Path | None, typer.Option(help="Its structure, PDB or mmCIF, to be coloured by what each residue adds.")
    ] = None,
    viewer: Annotated[
        Path | None, typer.Option(help="3Dmol-min.js; with it the page shows the structure, to be turned.")
    ] = None,
    output_structure: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="The coloured structure to write, .pdb or .cif: as B-factors, times 100."),
    ] = None,
    head: Annotated[str, typer.Option(help="A head that ships with the package, or the file of one.")] = DEFAULT_HEAD,
    trunk: Trunk8M = None,
) -> None:
    """Score every substitution, truncations and tags of one protein: which construct to try?"""
    path, known = head_file(head), read_tags(tags or TAGS)
    if output == table == STANDARD:
        raise FoldgraftError("only one of --output and --table can be standard output")
    if structure is None and (output_structure or viewer):
        raise FoldgraftError(f"{'--output-structure' if output_structure else '--viewer'} needs --structure as well")
    if structure and not (output_structure or viewer):
        raise FoldgraftError("--structure needs --viewer, to show it in the page, or --output-structure, to write it")
    script = viewer_script(viewer)
    protein = one(fasta)
    variants = [*truncations(protein.sequence), *tagged(protein.sequence, known), *substitutions(protein.sequence)]
    matched = match(structure, protein.sequence) if structure else None
    if matched and output_structure:  # before the scan, which takes minutes
        painted(matched, output_structure, np.zeros(len(protein.sequence)))
    print(f"{fasta}: {len(variants)} variants to score", file=sys.stderr)
    frozen = open_trunk(trunk)
    trained, states = heads_on(frozen, [path])[0], secondary_structure(protein, frozen)
    scored = scan_variants(protein, variants, trained, frozen)
    about = f"the head {trained.info.name} on the trunk {frozen.name}"
    beside = Beside(contact_scores(protein, frozen), states, matched, script)
    text = page(scored, trained.info.tasks[0].name, about, beside)
    with text_output(output) as handle:
        handle.write(text)
    if table:
        write_scan(table, scored)
    if matched and output_structure:  # last: if its format cannot hold the values, the page is written all the same
        chains = paint(matched, output_structure, scored.contribution)
        print(f"{output_structure}: chain {', '.join(chains)} painted", file=sys.stderr)


@app.command(name="map")
def contact_map(
    fasta: Annotated[Path, typer.Argument(metavar="FASTA", help="One protein; - reads standard input.")],
    output_pairs: Annotated[Path, typer.Option(dir_okay=False, help="Ranked pairs to write, CSV.")],
    output_map: Annotated[Path | None, typer.Option(dir_okay=False, help="Map to draw, PNG or SVG.")] = None,
    output_rr: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Probabilities to write in CASP's format RR.")
    ] = None,
    output_npz: Annotated[Path | None, typer.Option(dir_okay=False, help="Map to write as an array of NumPy.")] = None,
    head: Annotated[
        str, typer.Option(help="A head of contacts that ships with the package, or the file of one.")
    ] = CONTACT_HEAD,
    trunk: Trunk8M = None,
) -> None:
    """Rank the contacts of one protein by a head, beside the trunk's own contact regression, without an alignment."""
    path, protein = head_file(head), one(fasta)
    frozen = open_trunk(trunk)
    trained = heads_on(frozen, [path])[0]
    if trained.info.level != "pair":
        raise FoldgraftError(f"--head: {head} predicts for each {trained.info.level}, and a map needs one of pairs")
    maps = {"trunk": frozen.contacts(protein.sequence)} if frozen.network.contact_head is not None else {}
    maps |= pair_scores(trained, protein.sequence, None, frozen)
    write_maps(Outputs(output_pairs, output_map, output_rr, output_npz), protein.sequence, maps)


def of_this_trunk(name: str, trunk: Trunk) -> Trained | None:
    """The head of this name that ships, if the trunk computes nearly what the head's own did."""
    head = load_head(shipped()[name], trunk)
    return head if head.info.trunk.apart(trunk) <= NEAR else None


def contact_scores(protein: Candidate, trunk: Trunk) -> np.ndarray | None:
    """Packed probabilities of contacts by the head that ships; on another trunk by its own regression, if any."""
    if head := of_this_trunk(CONTACT_HEAD, trunk):
        return pair_scores(head, protein.sequence, None, trunk)[CONTACT_HEAD]
    return trunk.contacts(protein.sequence) if trunk.network.contact_head is not None else None


def secondary_structure(protein: Candidate, trunk: Trunk) -> np.ndarray | None:
    """Probabilities of helix, strand and other by the head that ships, shape (L, 3); None on another trunk."""
    head = of_this_trunk("secondary_structure", trunk)
    if head is None:
        return None
    ((_, (said,)),) = predict([protein], [head], trunk)
    task = head.info.tasks[0]
    mean = task.target.mean(said.tasks[0]).numpy()
    return mean[:, [task.names.index(state) for state in "HEC"]]


def shipped() -> dict[str, Path]:
    """The heads that ship with the package, by name."""
    return {path.stem: path for path in sorted(HEADS.glob("*.safetensors"))}


def head_file(name: str) -> Path:
    """The file of a head, from its name or path.

    Raises
    ------
    FoldgraftError
        if it is neither.
    """
    known = shipped()
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    raise FoldgraftError(f"--head: {name!r} is neither a file nor one of {', '.join(known)}")


def heads_on(trunk: Trunk, paths: list[Path]) -> list[Trained]:
    """The heads, on a trunk that computes nearly what theirs did; a word on standard error where it is not the same.

    Raises
    ------
    FoldgraftError
        see `foldgraft.predict.heads.load_heads`; and if the trunk is another.
    """
    heads = load_heads(paths, trunk, tolerance=NEAR)
    for head in heads:
        apart = head.info.trunk.apart(trunk)
        if apart > TOLERANCE:
            print(
                f"{head.info.name}: the trunk {trunk.name} differs by {apart:.0%} in what it computes from "
                f"{head.info.trunk.name}, which the head was trained on: expect other scores",
                file=sys.stderr,
            )
    return heads


def open_trunk(given: Path | None) -> Trunk:
    """The trunk of the heads: what was given, else the published model, found on this machine or fetched.

    A folder given is a checkpoint, or holds the published model.

    Raises
    ------
    FoldgraftError
        see `foldgraft.trunk.checkpoint.open_checkpoint`, and `provide` where none is given.
    """
    checkpoint = (within(given, DEFAULT_MODEL) or given) if given else provide(DEFAULT_MODEL)
    opened = open_checkpoint(checkpoint)
    print(f"trunk: {opened.name}, {checkpoint}", file=sys.stderr)
    return Trunk(opened.network, opened.name, sha256="")
