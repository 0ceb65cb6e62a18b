"""What can be known of a run's local files before any job: each is there, can be read, and holds what it is named for.

Everything here is read once, within bounds, and with the standard library alone.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from foldgraft.config import Config
from foldgraft.curate.first_look import check_any_protein
from foldgraft.curate.supplied_files import check_supplied
from foldgraft.errors import FoldgraftError
from foldgraft.evolution.formats import read_parts
from foldgraft.fetch import checks
from foldgraft.fetch.inputs import file_items, sifts_path
from foldgraft.fetch.sifts_rows import check_table
from foldgraft.msa import inputs as msa_inputs
from foldgraft.records.fasta import raw_records
from foldgraft.records.files import matches
from foldgraft.residues import NUCLEIC, TELLING, looks_nucleic
from foldgraft.trunk.headers import check_files
from foldgraft.trunk.locate import locate, locate_adapter
from foldgraft.trunk.settings import TrunkSettings

FIRST = 100
"""Records of a FASTA file for prediction that are looked at; each is told its reason by the prediction itself."""


def check_inputs(config: Config) -> None:
    """Stop for whatever would stop the run later: a missing or unreadable file, a bad record or label, no protein.

    Raises
    ------
    FoldgraftError
        naming the key, file or record that is wrong, and what to do.
    """
    data = Path(config.data)
    if config.replay and not Path(config.replay).is_file():
        raise FoldgraftError(f"replay: there is no file {Path(config.replay).absolute()}")
    if not (config.replay or data.is_dir()):
        raise FoldgraftError(f"data: {str(data.absolute())!r} is not a folder")
    if not (config.synth or config.replay):
        dealt = {name: _dealt(config, name) for name in config.tables}
        checks.check(config.structures, config.sequences, config.tables, data, dealt)
        _check_structures(config, data)
    for name, fasta in config.predict.sequences.items():
        _check_new(config, name, data / fasta)
    for alignment in config.predict.alignments.values():
        read_parts(data / alignment, msa_inputs.HEAD)
    check_supplied(config.curate.sequences, data)
    msa_inputs.check(config.msa, data)
    _check_trunk(config.trunk, data)


def _dealt(config: Config, table: str) -> checks.Dealt:
    """How a table will be split; where no head learns from it, it does not matter how few there are."""
    split, learnt = config.cluster, bool(config.of_task(table)) or table not in config.evaluate.external
    trained = learnt and bool(config.experiments)
    return checks.Dealt(split.folds if trained else 0, split.use_published_folds and trained, learnt)


def _check_structures(config: Config, data: Path) -> None:
    """Stop if all structures are local, and none of them holds a protein; or the local table of SIFTS is none."""
    given = config.structures
    if given and (sifts := sifts_path(given.sifts, data)):
        check_table(sifts, config.fetch.max_decompressed_mb * 10**6)
    if given and not (given.rcsb.ids or given.rcsb.query or given.alphafold.accessions):
        check_any_protein([Path(item.location) for item in file_items(given, data)])


def _check_new(config: Config, name: str, fasta: Path) -> None:
    """Stop if a file to predict for is not there, is no FASTA, or holds DNA."""
    key, made = f"predict.sequences.{name}", config.results / "synth/constructs.fasta" if config.synth else None
    if fasta == made:
        return
    if not fasta.is_file():
        hint = f"; this run's constructs will be {made}" if made else ""
        raise FoldgraftError(f"{key}: {fasta.absolute()} does not exist{hint}")
    first: list[str] = []
    _named(key, lambda path: first.extend(record[2].upper() for record in islice(raw_records(path), FIRST)), fasta)
    if all(map(looks_nucleic, first)) and sum(map(len, first)) >= TELLING:
        raise FoldgraftError(f"{key}: {fasta} holds {NUCLEIC}")


def _check_trunk(trunk: TrunkSettings, data: Path) -> None:
    plan = trunk.pretrain
    if trunk.local:
        _named("trunk.pretrain.from" if plan else "trunk.checkpoint", _check_checkpoint, data / trunk.local)
    if trunk.adapter:
        _named("trunk.adapter", locate_adapter, data / trunk.adapter)
    if plan:
        matches(list(plan.corpus), data, "trunk.pretrain.corpus")
        if plan.valid and not (data / plan.valid).is_file():
            raise FoldgraftError(f"trunk.pretrain.valid: {(data / plan.valid).absolute()} does not exist")


def _check_checkpoint(path: Path) -> None:
    located = locate(path)
    check_files(located.weights, located.config)


def _named(key: str, look: Callable[[Path], object], path: Path) -> None:
    """Look at files, and say which key of the configuration named them if they are not as they should be."""
    try:
        look(path)
    except FoldgraftError as error:
        raise FoldgraftError(f"{key}: {error}") from None
