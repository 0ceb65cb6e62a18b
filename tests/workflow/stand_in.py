"""Stands in for the package's commands: writes what follows from its words, inputs and code, and dies when told to.

So Snakemake and the rules are real, and a run of all stages costs seconds. An output is a digest of all that a stage's
command may depend on: its words, the bytes of the inputs that they name, and the module of its command.
"""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

FOLDERS = ("structures", "predictions")
"""Outputs that are folders."""


def main() -> None:
    words = sys.argv[1:]
    if words[0] == "--made-from":
        del words[:2]
    stage, command = words[:2]
    results = next(Path(*Path(word).parts[:2]) for word in words if word.startswith("results/"))
    named = [Path(word) for word in words if word.startswith("results/") and Path(word) != results]
    inputs = [file for path in named if path.exists() for file in ([path] if path.is_file() else path.rglob("*.*"))]
    outputs = [path for path in named if not path.exists()]
    if stage == "report":  # its words name the folder of results alone
        read = ("fetch", "curate", "cluster", "msa", "targets", "trunk", "train", "evaluate")
        inputs += [path for name in read for path in (results / name).rglob("*") if path.is_file()]
    told = hashlib.sha256("\n".join(words).encode())
    told.update((Path(__file__).parent / stage / "command.py").read_bytes())
    for path in sorted(set(inputs)):
        told.update(f"{path}\n".encode() + path.read_bytes())
    made = f"{stage} {command} {told.hexdigest()}\n"
    for path in outputs:
        file = path / "all.txt" if path.name in FOLDERS else path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made)
        if path.suffix == ".json" and stage == "embed":
            shards = [
                f"{kind}-{number:05d}" for kind in ("solubility", "files", "rcsb", "query") for number in range(4)
            ]
            path.write_text(json.dumps(dict.fromkeys(shards, made)))
    die(f"{stage}_{command}".replace("-", "_"), outputs)


def die(job: str, outputs: list[Path]) -> None:
    """Die as a job that was killed, or with Snakemake, once; of several shards the second dies. Or hold on."""
    victim, mark = os.environ.get("FG_VICTIM"), Path("killed")
    shard = os.environ.get("FG_SHARD", "")
    if job != victim or mark.exists() or not any(shard in path.name for path in outputs):
        return
    mark.write_text(job)
    name = os.environ.get("FG_SIGNAL")
    if name == "HOLD":
        while mark.exists():
            time.sleep(0.1)
        return
    if name:
        bash = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(bash, getattr(signal, name))
        time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)


main()
