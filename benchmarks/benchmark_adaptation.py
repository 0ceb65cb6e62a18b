"""Domain adaptation: masked perplexity of held-out members of a family, before and after a trunk learnt the others.

    python benchmarks/benchmark_adaptation.py --data DATA --checkpoint FOLDER [--family PF00085] [--steps 300]

Held out are members drawn at random; members of 50 % identity or more to one of them, over half of the shorter, are not
learnt from. A checkpoint that lacks a language head first gets one, fitted on proteins of all kinds (the corpus) with
all other weights frozen, so that "before" is what the trunk knew; the head alone does not know the family. Then all
weights learn the family, as `trunk: {pretrain: {from: ...}}` has them. Beside it stands the perplexity on proteins of
all kinds, which tells what is forgotten.
"""

import argparse
import gzip
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.network import Network
from foldgraft.records.files import sequence_sha256
from foldgraft.trunk.checkpoint import open_checkpoint
from foldgraft.trunk.pretraining.checkpoint import TrainingState
from foldgraft.trunk.pretraining.corpus import Corpus, near
from foldgraft.trunk.pretraining.settings import PretrainSettings
from foldgraft.trunk.pretraining.texts import read_lines
from foldgraft.trunk.pretraining.training import learn, pretrain, thawed
from foldgraft.trunk.pretraining.validation import Validation

HELD_OUT, IDENTITY, COVERAGE = 100, 0.5, 0.5
CPU = torch.device("cpu")


def family(data: Path, name: str) -> list[str]:
    """The members of an alignment, without gaps, in the order of their digests, thus at random."""
    (path,) = (data / "msa/pfam40" / name).glob("*.align.*.fasta.gz")
    with gzip.open(path, "rt") as lines:
        records = lines.read().split(">")[1:]
    rows = ("".join(record.split("\n")[1:]) for record in records)
    members = {row.replace("-", "").replace(".", "").upper() for row in rows}
    return sorted((member for member in members if not alphabet.illegal(member)), key=sequence_sha256)


def with_a_head(network: Network, corpus: Corpus, valid: Corpus, settings: PretrainSettings) -> Network:
    """A network whose new language head learnt from the corpus, and nothing else of it did."""
    trunk = Trunk(network, "trunk", "", CPU)
    network = thawed(trunk, settings, corpus.frequencies())
    network.requires_grad_(False)
    network.lm_head.requires_grad_(True)
    state = TrainingState.of(network, settings, CPU)
    learn(state, corpus, Validation(valid, settings), settings, keep=lambda: None)
    return network


def main() -> None:
    """Print the perplexities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--checkpoint", type=Path, required=True, help="of the trunk to adapt")
    parser.add_argument("--family", default="PF00085", help="folder of DATA/msa/pfam40; PF00085 is thioredoxin")
    parser.add_argument("--steps", type=int, default=300, help="of the adaptation")
    parser.add_argument("--head-steps", type=int, default=300, help="of a new language head")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    options = parser.parse_args()

    members = family(options.data, options.family)
    held = members[:HELD_OUT]
    others = {sequence_sha256(member): member for member in members[HELD_OUT:]}
    with TemporaryDirectory() as folder:
        left_out = near(others, set(held), IDENTITY, COVERAGE, Path(folder) / "out")
    train, valid = Corpus.of([text for name, text in others.items() if name not in left_out]), Corpus.of(held)
    texts = list(read_lines(options.data / "corpus/corpus-valid.txt.xz"))
    everything, apart = Corpus.of(texts[HELD_OUT:]), Corpus.of(texts[:HELD_OUT])
    print(
        f"{options.family}: {len(members)} members, {HELD_OUT} held out, {len(left_out)} left out near them", end=", "
    )
    print(f"{len(train)} to learn from ({len(train.tokens)} residues)")

    common = {"from": "x", "batch_tokens": options.batch_tokens, "crop_length": 254, "valid_every": 100}
    network = open_checkpoint(options.checkpoint).network
    if network.lm_head is None:
        settings = PretrainSettings.model_validate(common | {"steps": options.head_steps, "learning_rate": 2e-3})
        network = with_a_head(network, everything, apart, settings)
    settings = PretrainSettings.model_validate(common | {"steps": options.steps})
    general = Validation(apart, settings)
    known = general.perplexity(network)
    start = time.process_time()
    adapted, _, summary = pretrain(train, valid, settings, CPU, start=Trunk(network, "trunk", "", CPU))
    print(f"adaptation: {summary['steps']} steps, {summary['tokens']} tokens, {time.process_time() - start:.0f} CPU s")
    frequencies = Validation(valid, settings).unigram(train.frequencies())
    print(f"held-out members, {summary['valid_masked_positions']} masked residues: letter frequencies", end=" ")
    print(f"{frequencies:.2f}, before {summary['first_perplexity']:.2f}, after {summary['valid_perplexity']:.2f}")
    print(f"proteins of all kinds, {general.positions()} masked residues: before {known:.2f}", end=", ")
    print(
        f"after {general.perplexity(adapted):.2f}; letter frequencies {general.unigram(everything.frequencies()):.2f}"
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, numpy {np.__version__}")


if __name__ == "__main__":
    main()
