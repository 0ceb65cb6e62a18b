"""Logs of jobs, which keep what earlier attempts said."""

import os
from datetime import datetime
from pathlib import Path

AGAIN = "--- again, "
"""How the line begins that parts what a job's log says of one attempt from what it said of those before."""


def keep_log() -> None:
    """Let the log of a job, if standard error is one, begin with what it said of earlier attempts.

    Snakemake removes a job's log before it starts the job again. A second name of the file, hidden beside it, outlives
    that. Where the log's name cannot be told, or files have one name alone, the log begins anew.
    """
    try:
        about = os.fstat(2)
        log = Path("/proc/self/fd/2").readlink()
        if log.suffix != ".log" or not os.path.samestat(log.stat(), about):
            return
        kept = log.with_name(f".{log.name}.kept")
        if kept.exists() and not kept.samefile(log):
            before = kept.read_bytes().rstrip()
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            if before:
                os.write(2, before + f"\n{AGAIN}{now}\n".encode())
        kept.unlink(missing_ok=True)
        os.link(log, kept)
    except OSError:
        return
