"""Which sequences are aligned: each once, in the first shard that holds it."""

import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

from foldgraft.msa.given import account, fingerprint, write_account
from foldgraft.msa.settings import AlignmentFiles
from foldgraft.records import index
from foldgraft.records.alignments import QUERIES
from foldgraft.records.files import write_json
from foldgraft.records.given import read_given, summary
from foldgraft.records.tables import read_frame, write_frame

GROUP = 4096  # rows together: the job of a shard reads those groups that hold its own


class Outputs(NamedTuple):
    """The files that `write_queries` writes: the table, a digest by shard (JSON), and the account of given alignments
    (CSV) if there are any."""

    queries: Path
    digests: Path
    given: Path | None


def write_queries(chains: Path, settings: AlignmentFiles, data: Path, outputs: Outputs) -> None:
    """Write the sequences of a run with the shard that aligns each, and what becomes of the alignments given.

    A shard's digest changes with its own sequences and with what is given for them, and with nothing else. Memory is
    about 1 kB for each chain of the run.

    Parameters
    ----------
    chains : Path
        the index of all chains, in the order of the shards.
    """
    held = read_frame(chains, index.SCHEMA, ["shard", "id", "sequence_sha256", "sequence"])
    rows = account(held, settings, data) if outputs.given else []
    if outputs.given:
        write_account(outputs.given, rows)
        for line in summary(read_given(outputs.given)):
            print(line, file=sys.stderr)
    used = {row["sequence_sha256"]: fingerprint(row) for row in rows if row["used"]}
    unique = held.drop_duplicates("sequence_sha256")
    print(f"{len(held)} chains of {len(unique)} sequences", file=sys.stderr)
    write_frame(outputs.queries, unique.assign(given=unique["sequence_sha256"].isin(used)), QUERIES, GROUP)
    own: dict[str, list[str]] = {shard: [] for shard in held["shard"].unique()}
    for row in unique.itertuples():
        own[row.shard].append(f"{row.id} {used.get(row.sequence_sha256, row.sequence_sha256)}")
    digests = {shard: hashlib.sha256("\n".join(lines).encode()).hexdigest() for shard, lines in own.items()}
    write_json(outputs.digests, digests)
