"""A console that people can follow: `snakemake --logger foldgraft` writes a line a job, and ends with why jobs failed.

Snakemake finds the module by its name. Its own log, below .snakemake/log/, keeps all that it says otherwise.
"""

import re
import sys
import time
from collections.abc import Mapping
from logging import WARNING, LogRecord
from typing import Any

from snakemake.logging import DefaultFilter, DefaultFormatter, get_event
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

WIDTH = 160
"""Characters of a line about a job."""
KEPT = ("Nothing to be done", "Directory cannot be locked", "The run involves checkpoint jobs")
"""How the remarks begin that are shown; the others are for Snakemake's own log."""
IDLE = (
    "RuleException",
    "At least one job did not complete",
    "Exiting because a job execution failed",
    "Trying to restart job",
)
"""What says less than the lines about the failed job, which shall be the last ones."""


class LogHandler(LogHandlerBase):
    """Writes to standard error; a dry run, and `--verbose`, as Snakemake does by itself."""

    def __post_init__(self) -> None:
        super().__post_init__()
        settings = self.common_settings
        self._plain = settings.dryrun or settings.verbose or settings.debug_dag
        self._stream = sys.stdout if settings.stdout else sys.stderr
        self._formatter = DefaultFormatter(settings.quiet, settings.show_failed_logs)
        self._filter = DefaultFilter(
            settings.quiet, settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds
        )
        self._start = time.monotonic()
        self._done, self._total = 0, 0
        self._jobs: dict[int, str] = {}

    def emit(self, record: LogRecord) -> None:
        """Write what there is to say of an event, if anything."""
        if not self._filter.filter(record):
            return
        line = self._formatter.format(record) if self._plain else self._line(record)
        if line:
            print(line, file=self._stream, flush=True)

    def _line(self, record: LogRecord) -> str:
        event, about = get_event(record), vars(record)
        if event == LogEvent.RUN_INFO:
            self._total = about["stats"]["total"]
        if event == LogEvent.PROGRESS:
            self._done, self._total = about["done"], about["total"]
            last = self._done == self._total
            return self._timed(f"all {self._total} jobs done") if last else ""
        if event == LogEvent.JOB_INFO:
            name = " ".join([about["rule_name"], *map(str, dict(about["wildcards"] or {}).values())])
            self._jobs[about["jobid"]] = name
            return self._timed(f"{self._done} of {self._total or '?'} done; {name}")
        if event == LogEvent.JOB_ERROR:
            name = self._jobs.get(about["jobid"], about["rule_name"])
            return f"{self._timed(f'failed: {name}')}{where(about)}"  # the log's path is never cut off
        if event == LogEvent.SHELLCMD:
            return self._formatter.format(record)
        if event is None or event == LogEvent.ERROR:
            text = str(record.msg or "")
            loud = record.levelno >= WARNING and not any(words in text for words in IDLE)
            return text if loud or text.startswith(KEPT) else ""
        return ""

    def _timed(self, text: str) -> str:
        seconds = int(time.monotonic() - self._start)
        line = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} {text}"
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own console."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It leaves out by itself what `--quiet` asks it to."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It has words of its own."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It draws nothing."""
        return False


def where(about: Mapping[str, Any]) -> str:
    """Where a failed job's log is, and what a cluster says of it: its number there, and its end, such as TIMEOUT."""
    number = about["aux"].get("external_jobid")
    status = re.search(r"status is: '(\w+)'", str(about["rule_msg"]))
    where = f" (job {number} of the cluster{f': {status[1]}' if status else ''})" if number else ""
    return f"{where}, see {about['log'][0]}" if about["log"] else where
