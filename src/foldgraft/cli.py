"""The `foldgraft` command: the workflow, and one sub-command per stage, imported only when it is called."""

import errno
import importlib
import os
import stat
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from foldgraft import __version__
from foldgraft.errors import FoldgraftError
from foldgraft.logs import keep_log
from foldgraft.records import origin

STAGES = {
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
}
OTHERS = {
    "run": "Run the workflow, or one of its stages, on a configuration.",
    "demo": "Run the offline demo.",
    "config": "Check configurations; write their manual and schema.",
}
"""Commands that are no stage."""
COMMANDS = STAGES | OTHERS
ROOF = {
    "run": "foldgraft.launch:run",
    "demo": "foldgraft.launch:demo",
    "config": "foldgraft.manual:app",
    "predict": "foldgraft.alone:app",
}
"""Where commands are that know several stages."""


class Stages(TyperGroup):
    """A group whose commands are found by name, so that `foldgraft curate` need not import torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in COMMANDS:
            return None
        module, _, app = ROOF.get(name, f"foldgraft.{name}.command:app").partition(":")
        return typer.main.get_command(getattr(importlib.import_module(module), app))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("The workflow"):
            formatter.write_dl(list(OTHERS.items()))
        with formatter.section("Its stages, by hand"):
            formatter.write_dl(list(STAGES.items()))


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR}
"""Troubles of a disk that are the user's to mend; any other OSError is a fault of ours, and its traceback shows it."""

UNMAPPED = ("failed to map segment", "cannot allocate memory")
"""What a library says that could not be loaded for want of memory."""

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
    _fix_threads(sys.argv[1:])
    if sys.argv[1:2] == ["--made-from"]:
        keep_log()
    try:
        typer.main.get_command(app)(prog_name="foldgraft", standalone_mode=True)
    except FoldgraftError as error:
        _tell(str(error))
    except OSError as error:
        if error.errno not in DISK:
            raise
        _tell(f"{error.filename or _log()}: {error.strerror}")
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and not any(words in str(error) for words in UNMAPPED):
            raise
        _tell(f"not enough memory ({error}); give the job more, or run fewer at a time")


def _log() -> str:
    """What a library may have written when it failed without a name: the log, which standard error is, or a file."""
    link = Path("/proc/self/fd/2")
    log = link.readlink() if link.exists() and stat.S_ISREG(os.fstat(2).st_mode) else "the log"
    return f"{log}, or a file that this command writes"


def _tell(problem: str) -> None:
    """Say what is wrong, on standard output too where standard error is a log that cannot be written, and exit."""
    line = f"error: {problem}"
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        print(line, flush=True)
        os._exit(2)  # what is left to flush would fail again
    sys.exit(2)


def _fix_threads(words: list[str]) -> None:
    """Let libraries of numbers use as many threads as the rule asks for, though fewer cores be there.

    Sums of floating-point numbers depend on how they are shared out, so results would depend on `--cores`. Done before
    such a library is loaded, which is when it looks.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that spins slows what shares its core several times
    made_from = words[1] if words[:1] == ["--made-from"] and len(words) > 1 else ""
    if threads := origin.threads(made_from):
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = threads
