"""A Slurm of two virtual nodes on this machine, one of them with a GPU that is a file: Debian's, started as root."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """\
ClusterName=foldgraft
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort=16817
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MinJobAge=3600
KillWait=2
GresTypes=gpu
NodeName=cpu01 NodeHostname=localhost NodeAddr=127.0.0.1 Port=16821 CPUs=8 RealMemory=64000 State=UNKNOWN
NodeName=gpu01 NodeHostname=localhost NodeAddr=127.0.0.1 Port=16822 CPUs=8 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=cpu01 Default=YES State=UP
PartitionName=gpu Nodes=gpu01 State=UP
"""
HOME = Path("/etc/slurm")
"""Where jobs look: the executor takes SLURM_CONF from their environment."""


class Slurm:
    """The daemons; stopped by their process ids, and what was at `HOME` before is put back."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._kept = folder / "kept"
        self._munge = not subprocess.run(["munge", "-n"], capture_output=True).returncode

    def start(self) -> None:
        """Start everything, and wait until both nodes are idle."""
        for name in ("state", "spool-cpu01", "spool-gpu01"):
            (self.folder / name).mkdir()
        if HOME.exists():
            shutil.move(HOME, self._kept)
        HOME.mkdir()
        (HOME / "slurm.conf").write_text(CONFIGURATION.format(folder=self.folder))
        (HOME / "gres.conf").write_text("NodeName=gpu01 Name=gpu Count=1 File=/dev/null\n")
        if not self._munge:
            run = Path("/run/munge")
            run.mkdir(exist_ok=True)
            shutil.chown(run, "munge", "munge")
            command = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "/usr/sbin/munged"]
            subprocess.run([*command, f"--pid-file={run}/foldgraft.pid"], check=True)
        subprocess.run(["/usr/sbin/slurmctld"], check=True)
        for node in ("cpu01", "gpu01"):
            subprocess.run(["/usr/sbin/slurmd", "-N", node], check=True)
        for _ in range(60):
            nodes = subprocess.run(["sinfo", "-hN", "-t", "idle", "-o", "%N"], capture_output=True, text=True).stdout
            if len(set(nodes.split())) == 2:
                return
            time.sleep(0.5)
        raise RuntimeError((self.folder / "slurmctld.log").read_text()[-3000:])

    def jobs(self) -> list[dict[str, str]]:
        """What Slurm knows of all jobs, ended ones too."""
        told = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True).stdout
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in told.splitlines()]

    @contextmanager
    def away(self) -> Iterator[None]:
        """The time in which the controller is stopped; nodes and jobs go on."""
        pid = int((self.folder / "slurmctld.pid").read_text())
        os.kill(pid, 15)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.1)
        yield
        subprocess.run(["/usr/sbin/slurmctld"], check=True)

    def stop(self) -> None:
        """Stop the daemons that `start` started."""
        pids = [*self.folder.glob("*.pid"), *([] if self._munge else [Path("/run/munge/foldgraft.pid")])]
        for path in pids:
            if path.is_file():
                os.kill(int(path.read_text()), 15)
        time.sleep(1)
        shutil.rmtree(HOME)
        if self._kept.exists():
            shutil.move(self._kept, HOME)
