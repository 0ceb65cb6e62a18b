"""Memory and time of contacts from attention, beside fair-esm's `return_contacts`, on the same random weights.

    python benchmarks/benchmark_attention.py [--size 650M] [--length 1000] [--fair-lengths 250 350] [--threads 1]

Foldgraft takes one layer's maps at a time: for the trunk's own regression, and for an ensemble of three contact heads
that read attention, separation and the residues' embeddings. fair-esm keeps the maps of all layers and copies them on
the way; it is run on shorter chains, and its memory is extrapolated to the full length by a fit of a + b L^2, its
figure there being an estimate. Each measurement is a process of its own. Memory is the peak of the resident set less
what is resident once the weights are there, as Linux tells it (/proc/self/status, its peak reset).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

SIZES = {"8M": (6, 320, 20), "150M": (30, 640, 20), "650M": (33, 1280, 20)}
LIMIT = 3.0
HEADS = 3


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise SystemExit("/proc/self/status does not tell the memory of a process; this needs Linux")


def measure(work: Callable[[], object]) -> dict[str, float]:
    """Seconds, and bytes beyond those resident before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, start = resident("VmRSS"), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - start, "bytes": resident("VmHWM") - before}


def protein(length: int) -> str:
    """A random sequence."""
    return "".join(np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), length))


def fair_esm(size: str, length: int) -> dict[str, float]:
    """fair-esm's contacts of one chain."""
    import esm

    model = esm.ESM2(*SIZES[size]).eval().requires_grad_(False)
    _, _, tokens = model.alphabet.get_batch_converter()([("", protein(length))])

    @torch.no_grad()
    def work() -> None:
        model(tokens, return_contacts=True)

    return measure(work)


def foldgraft(size: str, length: int, heads: bool) -> dict[str, float]:
    """Contacts of one chain by the trunk's regression, or by an ensemble of heads."""
    from foldgraft.models.heads.build import build
    from foldgraft.models.heads.settings import LogisticSettings
    from foldgraft.models.trunk import Trunk
    from foldgraft.models.trunk.architecture import Architecture
    from foldgraft.models.trunk.tensors import build_network
    from foldgraft.tasks.pairs import Chain, PairExamples
    from foldgraft.tasks.task import BUILT_IN

    network = build_network(Architecture(*SIZES[size]), contacts=True)
    trunk, sequence = Trunk(network, size, "", torch.device("cpu")), protein(length)
    if not heads:
        return measure(lambda: trunk.contacts(sequence))
    settings = LogisticSettings()
    chains = [Chain("chain", sequence, "0" * 64)]
    examples = PairExamples([BUILT_IN["contact"]], chains, settings, ["attention", "separation"], trunk, None)
    members = [build("pair", settings, examples.widths, [1]) for _ in range(HEADS)]

    def work() -> None:
        list(examples.score(members, [0]))

    return measure(work)


def main() -> None:
    """Print a line for each side, and whether the limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="650M")
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--fair-lengths", type=int, nargs="+", default=[250, 350])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=["fair", "regression", "heads"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.side == "fair":
        print(json.dumps(fair_esm(options.size, options.length)))
        return
    if options.side:
        print(json.dumps(foldgraft(options.size, options.length, options.side == "heads")))
        return

    def run(side: str, length: int) -> dict[str, float]:
        command = [sys.executable, __file__, "--side", side, "--size", options.size, "--length", str(length)]
        done = subprocess.run(
            [*command, "--threads", str(options.threads)], stdout=subprocess.PIPE, check=True, text=True
        )
        found = json.loads(done.stdout)
        print(f"  {side:12}{length:6} residues{found['bytes'] / 2**30:9.2f} GiB{found['seconds']:9.1f} s", flush=True)
        return found

    print(f"{options.size}, beside the weights; {options.threads} threads, torch {torch.__version__}")
    theirs = [run("fair", length) for length in options.fair_lengths]
    run("regression", options.fair_lengths[-1])
    worst = max(run(side, options.length)["bytes"] for side in ("regression", "heads")) / 2**30
    squares = np.square(options.fair_lengths, dtype=float)
    slope = np.polyfit(squares, [found["bytes"] for found in theirs], 1)
    estimate = np.polyval(slope, options.length**2) / 2**30
    verdict = "kept" if worst <= LIMIT else "MISSED"
    print(f"foldgraft {worst:.2f} GiB at {options.length} residues, goal {LIMIT:g} GiB: {verdict}")
    print(
        f"fair-esm, extrapolated to {options.length} residues: {estimate:.1f} GiB, {estimate / worst:.0f} x foldgraft"
    )


if __name__ == "__main__":
    main()
