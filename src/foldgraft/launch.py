"""`foldgraft run` and `foldgraft demo`: Snakemake on the workflow that came with the package."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from foldgraft.config_files import read_config_file
from foldgraft.errors import FoldgraftError

PACKAGE = Path(__file__).parent
WORD = {"ignore_unknown_options": True, "allow_extra_args": True}
ELSEWHERE = re.compile(r"--(profile|executor|jobs|cores)(=.*)?|-[ejc].*")
"""Words that say how many jobs run, or where."""
LOGGER = re.compile(r"--logger(=.*)?")

run = typer.Typer(rich_markup_mode=None, add_completion=False)
demo = typer.Typer(rich_markup_mode=None, add_completion=False)

Configurations = Annotated[
    list[str],
    typer.Option("--config", metavar="FILE|KEY=VALUE", help="A configuration, or a key of it; may be repeated."),
]
Cores = Annotated[str | None, typer.Option(help="Cores to use at a time; all if neither this nor a profile is given.")]
Profile = Annotated[str | None, typer.Option(help="slurm, workstation, or a folder with a profile.yaml of your own.")]


def shipped() -> Path:
    """The folder of workflow/, config/ and envs/: in the package if it came as a wheel, else the checkout.

    Raises
    ------
    FoldgraftError
        if there is neither.
    """
    source = next((one for one in (PACKAGE / "shipped", *PACKAGE.parents[1:2]) if (one / "workflow").is_dir()), None)
    if source is None:
        raise FoldgraftError(f"{PACKAGE}: the workflow is not with the package; install its wheel, or use a checkout")
    return source


@run.command(context_settings=WORD)
def run_workflow(ctx: typer.Context, config: Configurations, cores: Cores = None, profile: Profile = None) -> None:
    """Run the workflow, or a stage of it: foldgraft run [STAGE] --config mine.yaml --cores 4.

    Every other word goes to Snakemake as it is: `-n` only says what would be done, `--forcerun targets_shard` makes
    targets anew, `--help-snakemake` lists all. Results go to results/<run>/ below the working directory.
    """
    start(ctx.args, config, cores, profile)


@demo.command(context_settings=WORD)
def run_demo(ctx: typer.Context, cores: Cores = None) -> None:
    """Run the offline demo on a synthetic proteome: a few minutes, ending with a report in results/demo/report/."""
    start(ctx.args, [str(shipped() / "config/demo.yaml")], cores, None)


def start(words: list[str], config: list[str], cores: str | None, profile: str | None) -> None:
    """Become Snakemake, so that signals and the exit status are its own."""
    command = [sys.executable, "-m", "snakemake", *arguments(words, config, cores, profile)]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def arguments(words: list[str], config: list[str], cores: str | None, profile: str | None) -> list[str]:
    """What Snakemake is told: the user's words first, since some of its options take all words that follow.

    Raises
    ------
    FoldgraftError
        if a configuration or a profile is not there or is no YAML, or a configuration is named as Snakemake takes it.
    """
    if "--help-snakemake" in words:
        return ["--help"]
    if any(word.split("=")[0] in ("--configfile", "--configfiles") for word in words):
        raise FoldgraftError("--configfile: name each configuration with --config, which may be repeated")
    files = [one for one in config if _is_file(one)]
    keys = [one for one in config if one not in files]
    absent = next((one for one in keys if "=" not in one), None)
    if absent is not None or not files:
        raise FoldgraftError(f"--config: there is no file {absent}" if absent else "--config: name a file, too")
    for one in files:
        read_config_file(Path(one))  # Snakemake reads it too, and would not say which file and line is wrong
    command = [*words, "--snakefile", str(shipped() / "workflow/Snakefile"), "--configfile", *files]
    command += ["--config", *keys] if keys else []
    command += [] if any(map(LOGGER.fullmatch, words)) else ["--logger", "foldgraft"]
    command += ["--profile", str(profile_folder(profile))] if profile else ["--rerun-incomplete"]
    if cores or not (profile or any(map(ELSEWHERE.fullmatch, words))):
        command += ["--cores", cores or "all"]
    return command


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # too long for a name
        return False


def profile_folder(name: str) -> Path:
    """A profile of the workflow by its name, or one of the user's own by its folder."""
    known = sorted(path.name for path in (shipped() / "workflow/profiles").iterdir())
    folder = shipped() / "workflow/profiles" / name if name in known else Path(name)
    if not folder.is_dir():
        raise FoldgraftError(f"--profile: there is no folder {name}; name one, or {' or '.join(known)}")
    return folder
