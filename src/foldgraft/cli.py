"""The `foldgraft` command: one sub-command per stage, imported only when it is called."""

import errno
import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from foldgraft import __version__
from foldgraft.errors import FoldgraftError
from foldgraft.records import origin

COMMANDS = {
    "synth": "Generate a synthetic proteome whose truth is known.",
    "fetch": "Bring structures, sequences and labels into the store.",
    "curate": "Turn structure files into protein chains.",
    "cluster": "Group sequences, split them, and audit the split.",
    "msa": "Align homologs and score coevolution.",
    "targets": "Compute distograms, contacts and torsions.",
    "trunk": "Provide the language-model trunk.",
    "embed": "Embed sequences with the frozen trunk.",
    "train": "Fit a head on the frozen trunk.",
    "evaluate": "Measure experiments beside baselines.",
    "report": "Render the report.",
    "predict": "Predict for new sequences.",
    "config": "Write the configuration's manual and schema.",
}


class Stages(TyperGroup):
    """A group whose commands are found by name, so that `foldgraft curate` need not import torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in COMMANDS:
            return None
        module = "foldgraft.manual" if name == "config" else f"foldgraft.{name}.command"
        return typer.main.get_command(importlib.import_module(module).app)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Stages"):
            formatter.write_dl(list(COMMANDS.items()))


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
"""Troubles of a disk that are the user's to mend; any other OSError is a fault of ours, and its traceback shows it."""

app = typer.Typer(name="foldgraft", cls=Stages, no_args_is_help=True, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"foldgraft {__version__}")
        raise typer.Exit


@app.callback()
def foldgraft(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
    made_from: Annotated[
        str, typer.Option(help="What the workflow knows of the job and its inputs; tables of other runs are refused.")
    ] = "",
) -> None:
    """Task heads grafted onto a frozen protein language-model trunk."""
    origin.begin(ctx.invoked_subcommand or "", made_from)


def main() -> None:
    """Run a command; an error meant for the user is printed without a traceback and exits with 2."""
    try:
        typer.main.get_command(app)(prog_name="foldgraft", standalone_mode=True)
    except FoldgraftError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in DISK:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
