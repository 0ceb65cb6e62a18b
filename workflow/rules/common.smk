"""
Common: what every rule file uses. Reads and checks the configuration, and says which shards there are.
"""

import json
import shlex
import sys
import time
from functools import cache
from itertools import chain
from pathlib import Path

# The package of this checkout; where the rules come from elsewhere, such as a URL, the one that is installed.
_here = workflow.current_basedir.get_path_or_uri(secret_free=True)
_checkout = Path(_here).parent.parent / "src"
if (_checkout / "foldgraft/plan.py").is_file():
    sys.path.insert(0, str(_checkout))

import foldgraft
from foldgraft import plan
from foldgraft.config_files import read_config_file
from foldgraft.errors import FoldgraftError
from foldgraft.folders import check_writable
from foldgraft.ledger import Ledger
from foldgraft.slurm import keep_jobs
from foldgraft.sources import command_sources

PACKAGE = Path(foldgraft.__file__).parent
STARTED = time.time()

if workflow.is_main_process:
    keep_jobs()

if not workflow.overwrite_configfiles:

    configfile: workflow.source_path("../../config/demo.yaml")


# A module may be given a prefix, which Snakemake puts before all that is named in a rule; what comes from outside is
# then named from the root of the file system.
_folder = Path(str(workflow.modifier.modify_path("results")))
_prefixed = _folder != Path("results")

try:
    layers = map(read_config_file, workflow.overwrite_configfiles)  # as a rule, a job need not read them
    if workflow.is_main_process:
        layers = list(layers)  # for its own sake too: what Snakemake merges hides a key that one of them has twice
    layers = chain(layers, [workflow.config_settings.config])
    CONFIG = plan.configure(config, workflow.is_main_process, _folder, layers)
    if workflow.is_main_process:
        check_writable([Path(".snakemake"), *([] if workflow.dryrun else [CONFIG.results, Path(CONFIG.store)])])
    LEDGER = Ledger(Path(".snakemake/foldgraft") / f"{CONFIG.run}.json", keep=workflow.is_main_process)
    PLAN = plan.make(CONFIG, LEDGER)
except FoldgraftError as error:
    sys.exit(f"error: {error}")


pathvars:
    results=f"results/{CONFIG.run}",
    logs=f"results/{CONFIG.run}/logs",
    benchmarks=f"results/{CONFIG.run}/benchmarks",


def outside(path):
    """A file that no rule makes, as an input: Snakemake would take braces for a wildcard."""
    try:
        return plan.outside(path, absolute=_prefixed)
    except FoldgraftError as error:
        sys.exit(f"error: {error}")


STORE = CONFIG.store
DATA = CONFIG.data
REPLAY = [ancient(outside(CONFIG.replay))] if CONFIG.replay else []
STRUCTURE_SHARDS = list(PLAN.structures)
LABEL_SHARDS = [shard for shards in PLAN.labels.values() for shard in shards]
LABELS = {
    table: [f"<results>/fetch/labels/{shard}.parquet" for shard in shards] for table, shards in PLAN.labels.items()
}
EXPERIMENTS = list(CONFIG.experiments)
DIGESTS = PLAN.structures
LOCATIONS = PLAN.locations
SEQUENCES_DIGEST = PLAN.sequences
SIFTS_DIGEST = PLAN.sifts
ALIGNMENT_DIGEST = PLAN.alignments
SUPPLIED_DIGEST = PLAN.supplied
PREDICT_DIGEST = PLAN.predict
SYNTH = CONFIG.synth is not None
_viewers = [Path("resources/3Dmol-min.js"), _checkout.parent / "resources/3Dmol-min.js"]
VIEWER = [outside(path) for path in _viewers if path.exists()][:1]


wildcard_constraints:
    shard="[a-z][a-z0-9_]*-[0-9]{5}",


# Jobs run this package, in whichever environment they run.
_conda = plan.in_conda(workflow)
_path = "" if _conda else f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
_imports = plan.importable(PACKAGE, Path(".snakemake/foldgraft/package"), _conda)
_package = f"export PYTHONPATH={shlex.quote(str(_imports))}:${{{{PYTHONPATH:-}}}}; "
# A thread that waits sleeps: spinning, torch's default, makes jobs that share cores several times slower.
shell.prefix(f"set -euo pipefail; {_path}{_package}export OMP_WAIT_POLICY=PASSIVE; ")


def code(stage, command, level=None):
    """Source files that the results of a stage's command depend on; an edit of one reruns it.

    `level` gives the level of a job's task, from its wildcards, so that code of other levels reruns nothing.
    """

    def files(wildcards):
        here = Path.cwd()
        paths = command_sources(stage, command, level(wildcards) if level else "")
        return [outside(path.relative_to(here) if path.is_relative_to(here) else path) for path in paths]

    return files if level else files(None)


def settings(section, **parts):
    """A section of the configuration as JSON, as the stage's command takes it.

    A rule whose results depend on some keys only names them (`include`, `exclude`): the others then rerun nothing.
    """
    return plan.section(CONFIG, section, **parts)


def experiment_settings(wildcards):
    """One experiment as JSON."""
    return CONFIG.experiments[wildcards.experiment].model_dump_json(exclude_unset=True)


def table_of(shard):
    """Name of the labelled table that a shard is of."""
    return shard.rpartition("-")[0]


def synth_inputs(name):
    """The synthetic proteome's file or folder of that name, where a run has one."""
    return [f"<results>/synth/{name}"] if SYNTH else []


@cache
def shard_digests(path, time):
    """Digests by shard, read once for all jobs of a plan; `time` is when the file was written."""
    return json.loads(path.read_text())


def flags(option, paths):
    """A repeated option: --chains a --chains b."""
    return [word for path in paths for word in (option, path)]
