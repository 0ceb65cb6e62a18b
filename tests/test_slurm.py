"""An executor forgets no job: what it neither yields nor reports is asked after again."""

import asyncio
import logging
from types import SimpleNamespace

from foldgraft.slurm import keeping


class Executor:
    """One that does with each job what the job's name says, as Snakemake's interface for executors has it."""

    def __init__(self):
        self.logger, self.said = logging.getLogger("executor"), []

    async def check_active_jobs(self, active_jobs):
        for job in active_jobs:
            if job.name == "runs":
                yield job
            elif job.name == "ends":
                self.report_job_success(job)
            elif job.name == "fails":
                self.report_job_error(job, msg="why")

    def report_job_success(self, job_info):
        self.said.append("ends")

    def report_job_error(self, job_info, msg=None, **kwargs):
        self.said.append(msg)


def test_a_job_that_is_neither_yielded_nor_reported_stays_active(caplog):
    executor = keeping(keeping(Executor))()
    jobs = [SimpleNamespace(name=name) for name in ("runs", "ends", "forgotten", "fails")]

    async def check():
        return [job.name async for job in executor.check_active_jobs(jobs)]

    assert asyncio.run(check()) == ["runs", "forgotten"]
    assert executor.said == ["ends", "why"]
    assert asyncio.run(check()) == ["runs", "forgotten"]
    del jobs[2]
    assert asyncio.run(check()) == ["runs"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "Slurm does not answer",
        "Slurm answers again.",
    ]
    assert len(keeping(keeping(Executor)).__mro__) == len(keeping(Executor).__mro__)
