"""Stands in for the package's commands: writes what follows from its words, inputs and code, and dies when told to.

So Snakemake and the rules are real, and a run of all stages costs seconds. An output is a digest of all that a stage's
command may depend on: its words, and the bytes of its rule's inputs, code among them.
"""

import hashlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

RULES = "".join(path.read_text() for path in (Path(__file__).parents[2] / "workflow/rules").glob("*.smk"))
FOLDERS = {Path(path).name for path in re.findall(r'directory\("([^"]+)"\)', RULES)}
"""Names of the outputs that are folders."""


def files(path: Path) -> list[Path]:
    """A file, or all files of a folder."""
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def main() -> None:
    words = sys.argv[1:]
    if words[0] == "--made-from":
        del words[:2]
    stage, command = words[:2]
    inputs = [file for name in os.environ["FG_INPUTS"].split() for file in files(Path(name))]
    outputs = [Path(name) for name in os.environ["FG_OUTPUTS"].split()]
    told = hashlib.sha256("\n".join(words).encode())
    for path in sorted(set(inputs)):
        told.update(f"{path}\n".encode() + path.read_bytes())
    made = f"{stage} {command} {told.hexdigest()}\n"
    for path in outputs:
        file = path / "all.txt" if path.name in FOLDERS else path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made)
        if path.suffix == ".json" and (stage, command) in {("embed", "repeats"), ("msa", "queries")}:
            shards = [
                f"{kind}-{number:05d}" for kind in ("solubility", "files", "rcsb", "query") for number in range(4)
            ]
            path.write_text(json.dumps(dict.fromkeys(shards, made)))
        if path.name == "given.csv":  # which is read when the run ends
            from foldgraft.records.given import GIVEN

            path.write_text(",".join(GIVEN) + f"\n{made.strip()}" + "," * (len(GIVEN) - 1) + "\n")
    die(f"{stage}_{command}".replace("-", "_"), outputs)


def die(job: str, outputs: list[Path]) -> None:
    """Die as a job that was killed, each rule's once, of its shards the one named; or with Snakemake; or hold on."""
    victim, shard, signal_name = (os.environ.get(f"FG_{name}", "") for name in ("VICTIM", "SHARD", "SIGNAL"))
    mark = Path("dead") / job
    sharded = any(re.search("-[0-9]{5}", path.name) for path in outputs)
    if victim not in (job, "all") or mark.exists() or (sharded and not any(shard in path.name for path in outputs)):
        return
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    if signal_name == "HOLD":
        while mark.exists():
            time.sleep(0.1)
        return
    if signal_name:
        os.kill(snakemake(os.getppid()), getattr(signal, signal_name))
        time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)


def snakemake(process: int) -> int:
    """The process that started this job: the next ancestor that is no shell."""
    name, _, rest = Path(f"/proc/{process}/stat").read_text().partition("(")[2].rpartition(")")
    return snakemake(int(rest.split()[1])) if name in ("bash", "sh") else process


main()
