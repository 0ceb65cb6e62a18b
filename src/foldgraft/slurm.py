"""Keeps hold of Slurm's jobs while its controller (slurmctld) is away.

Snakemake's executor plugin for Slurm (2.8.0 and before) neither yields nor reports its jobs where all its queries of a
round fail; without accounting that is any round while the controller is away. Snakemake then has no job to ask after,
waits for ever, and Ctrl-C does not cancel what it has forgotten.
"""

from collections.abc import AsyncIterator

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry


def keep_jobs() -> None:
    """Let the executor for Slurm, if its plugin is installed, ask again after jobs of which it learnt nothing."""
    registry = ExecutorPluginRegistry()
    if registry.is_installed("slurm"):
        plugin = registry.get_plugin("slurm")
        plugin.executor = keeping(plugin.executor)


def keeping(executor: type) -> type:
    """An executor for which a job that is neither yielded nor reported is still active; at most once about a class."""
    return executor if getattr(executor, "keeps_jobs", False) else type(executor.__name__, (_Keeping, executor), {})


class _Keeping:
    """What is put before an executor for a cluster; the methods are those of Snakemake's interface for executors."""

    keeps_jobs = True

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._settled: set[int] = set()
        self._away = False
        super().__init__(*args, **kwargs)  # starts the thread that checks

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncIterator[SubmittedJobInfo]:
        self._settled = set()
        async for job in super().check_active_jobs(active_jobs):
            self._settled.add(id(job))
            yield job
        unknown = [job for job in active_jobs if id(job) not in self._settled]
        if unknown and not self._away:
            self.logger.warning(f"Slurm does not answer: {len(unknown)} jobs go on, and are asked after again.")
        elif self._away and active_jobs and not unknown:
            self.logger.warning("Slurm answers again.")
        if active_jobs:
            self._away = bool(unknown)
        for job in unknown:
            yield job

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        self._settled.add(id(job_info))
        super().report_job_success(job_info)

    def report_job_error(self, job_info: SubmittedJobInfo, *args: object, **kwargs: object) -> None:
        self._settled.add(id(job_info))
        super().report_job_error(job_info, *args, **kwargs)
