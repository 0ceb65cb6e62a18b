"""Head training from cached embeddings beside training through the trunk, and what contact features cost.

    python benchmarks/benchmark_train.py --data FOLDER [--size 8M] [--proteins 2000] [--sample 100]
    python benchmarks/benchmark_train.py --vectors FILE

The proteins are the first of a random order of the NetSolP table, the trunk has random weights of an ESM-2 size. An
epoch through the trunk embeds each batch anew, without gradients, and then makes the same step of the same head; it is
timed on a sample and scaled. The two sides take turns. One core.

`--vectors` trains whole experiments instead, on all test folds of a table whose embeddings are at hand: an npz file of
`pooled` (N, layers, D), `label` (0 or 1) and `fold`. Beside the MLP stands scikit-learn's, with as many hidden units,
batches as large and early stopping; it is one a test fold, where ours are one for each validation fold too.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from foldgraft.models.heads.build import Widths, build, reads
from foldgraft.models.heads.settings import LightAttentionSettings, LogisticSettings, MLPSettings
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import Contents, Embeddings
from foldgraft.records.files import sequence_sha256
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.examples import Batch, Loading
from foldgraft.tasks.pairs import Chain, PairExamples
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.vectors import Protein, StoredVectors, TrunkVectors
from foldgraft.train.engine import Engine
from foldgraft.train.ensemble import Trainer
from foldgraft.train.loop import Run, Score, fit
from foldgraft.train.losses import Loss
from foldgraft.train.settings import Experiment, Training

SIZES = {"8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20)}
GOAL, BATCH, ROUNDS, LENGTH, PAIRS = 50, 64, 3, 300, 1000


def random_trunk(size: str) -> Trunk:
    torch.manual_seed(0)
    return Trunk(build_network(Architecture(*SIZES[size])), size, "0" * 64, torch.device("cpu"))


class Anew(SequenceExamples):
    """The same batches, each through the trunk."""

    def __getitem__(self, rows: list[int]) -> Batch:
        self.vectors.embed(self.table["sequence"].iloc[rows], self.reads == "residues")
        return super().__getitem__(rows)


def epoch_seconds(
    proteins: SequenceExamples, settings: MLPSettings | LightAttentionSettings, rows: np.ndarray
) -> float:
    """Seconds of one epoch over these proteins, training steps included."""
    torch.manual_seed(0)
    network = build("protein", settings, Widths(proteins.vectors.width), [1])
    run = Run(Engine(kind="cpu"))
    batches = proteins.batches(rows, Loading(BATCH), run.generator)
    loss = Loss([SOLUBILITY.target], ["bce"], [1.0], [None])
    start = time.perf_counter()
    with redirect_stderr(StringIO()):
        fit(network, batches, lambda head: Score(0.0, 0.0), loss, Training(epochs=1, batch_size=BATCH), run)
    return time.perf_counter() - start


def training(options: argparse.Namespace, folder: Path) -> None:
    """Epochs from the cache and through the trunk."""
    table = pd.read_csv(options.data / "solubility/netsolp_psi_biology_train.csv.gz")
    table = table.sample(frac=1, random_state=0).drop_duplicates("fasta").head(options.proteins)
    table = pd.DataFrame({"sequence": table["fasta"].to_numpy(), "label": table["solubility"].to_numpy(dtype=float)})
    table["sequence_sha256"] = table["sequence"].map(sequence_sha256)
    trunk, residues = random_trunk(options.size), table["sequence"].str.len()
    sample = np.arange(options.sample)
    scale = residues.sum() / residues[sample].sum()
    print(
        f"{len(table)} proteins, {residues.sum()} residues, {options.size} trunk; an epoch through the trunk is that of"
    )
    print(f"{len(sample)} proteins, {residues[sample].sum()} residues, times {scale:.1f}; batches of {BATCH}, one core")
    values = trunk.embed_layers(table["sequence"].tolist(), [trunk.layers])
    contents = Contents(trunk.sha256, trunk.layers, trunk.width, (trunk.layers,))
    write_embeddings(folder / "e", zip(table["sequence_sha256"], values, strict=True), contents)
    cache = Embeddings([folder / "e"])
    everything = np.arange(len(table))
    truth = [[np.array([[label]], dtype=np.float32) for label in table["label"]]]
    for settings in (MLPSettings(), LightAttentionSettings()):
        head, read = settings.name, reads("protein", settings)
        cached = SequenceExamples([SOLUBILITY], table, truth, read, StoredVectors(cache, [trunk.layers]))
        anew = Anew([SOLUBILITY], table, truth, read, TrunkVectors(trunk, [trunk.layers]))
        times = [
            (epoch_seconds(cached, settings, everything), epoch_seconds(anew, settings, sample)) for _ in range(ROUNDS)
        ]
        ours, theirs = (float(np.median(side)) for side in zip(*times, strict=True))
        ratio = theirs * scale / ours
        print(f"  {head:16} {ours:8.2f} s cached, {theirs * scale:8.1f} s through the trunk, ratio", end=" ")
        print(f"{ratio:.0f} ({'met' if ratio >= GOAL else 'MISSED'})")
    few = table["sequence"].head(20).tolist()
    exact = np.concatenate(list(trunk.embed(few))).astype(np.float64)
    error = np.concatenate([cache.residues(sequence_sha256(text))[:, 0] for text in few]) - exact
    print(
        f"float16 on disk: largest error {np.abs(error).max():.1e} where values reach {np.abs(exact).max():.1f};",
        end=" ",
    )
    print(f"root mean square {100 * np.sqrt((error**2).mean() / (exact**2).mean()):.3f} % of theirs")


class Held:
    """Pooled embeddings in memory; a protein is known by its number."""

    def __init__(self, pooled: np.ndarray):
        self.layers = list(range(1, pooled.shape[1] + 1))
        self.values = pooled.reshape(len(pooled), -1).astype(np.float32)
        self.width = self.values.shape[1]

    def pooled(self, protein: Protein) -> np.ndarray:
        return self.values[int(protein.sequence_sha256)]


def experiments(path: Path) -> None:
    """Whole cross-validated experiments."""
    held = np.load(path)
    fold, label = held["fold"], held["label"].astype(np.float32)
    numbers = [str(number) for number in range(len(fold))]
    table = pd.DataFrame({"id": numbers, "sequence": "A", "sequence_sha256": numbers, "fold": fold})
    truth = [[np.array([[value]], dtype=np.float32) for value in label]]
    trunk = random_trunk("8M")
    print(f"{len(label)} proteins, {len(set(fold))} test folds; {torch.get_num_threads()} threads")
    for name, layers in (("mlp", "last"), ("linear", "last"), ("linear", "all")):
        vectors = Held(held["pooled"] if layers == "all" else held["pooled"][:, -1:])
        examples = SequenceExamples([SOLUBILITY], table, truth, "pooled", vectors)
        experiment = Experiment(task="solubility", head=name, cross_validate=True).resolve([SOLUBILITY])
        everyone = np.ones(len(label), dtype=bool)
        trainer = Trainer(name, experiment, examples, Widths(vectors.width), trunk, everyone)
        start, areas, heads = (time.perf_counter(), time.process_time()), [], 0
        for group in trainer.groups():
            with redirect_stderr(StringIO()):
                trainer.train(group)
            rows, members = np.flatnonzero(fold == group.test_fold), [member.head for member in group.members]
            scores = {one.row: float(one.outputs[0].mean()) for one in examples.score(members, rows)}
            areas.append(roc_auc_score(label[rows], [scores[row] for row in rows]))
            heads += len(members)
        tell(f"{name}, {layers} layer(s), {heads} heads", areas, start)


def by_scikit_learn(path: Path) -> None:
    """Its MLP on the last layer, one for each test fold."""
    held = np.load(path)
    fold, label, features = held["fold"], held["label"], Held(held["pooled"][:, -1:]).values
    start, areas = (time.perf_counter(), time.process_time()), []
    for test in sorted(set(fold)):
        train, rows = fold != test, fold == test
        scaler = StandardScaler().fit(features[train])
        model = MLPClassifier(
            (MLPSettings().hidden,), batch_size=BATCH, early_stopping=True, n_iter_no_change=8, random_state=0
        )
        model.fit(scaler.transform(features[train]), label[train])
        areas.append(roc_auc_score(label[rows], model.predict_proba(scaler.transform(features[rows]))[:, 1]))
    tell(f"scikit-learn's MLP, last layer, {len(areas)} heads", areas, start)


def tell(what: str, areas: list[float], start: tuple[float, float]) -> None:
    """Print an experiment's figures and seconds."""
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"  {what:42} ROC-AUC {np.mean(areas):.4f}, {wall:6.1f} s, of a core {processor:6.1f} s", flush=True)


def chain(number: int, length: int = LENGTH) -> Chain:
    rng = np.random.default_rng(number)
    pairs = length * (length - 1) // 2
    sequence = "".join(rng.choice(list(AMINO_ACIDS), length))
    return Chain(f"c{number}", sequence, sequence_sha256(sequence), 0, ((rng.random(pairs) < 0.03).astype(np.uint8),))


def contact_job(size: str, what: str, chains: int, length: int) -> tuple[float, float]:
    """Seconds per chain, and the megabytes that the peak of this process grows by."""
    trunk, settings = random_trunk(size), LogisticSettings(pairs_per_chain=PAIRS)

    def examples(count: int, residues: int) -> PairExamples:
        some = [chain(number, residues) for number in range(count)]
        return PairExamples([BUILT_IN["contact"]], some, settings, ("attention", "separation"), trunk, None)

    made, rows = examples(chains, length), np.arange(chains)
    head = build("pair", settings, made.widths, [1])
    jobs: dict[str, Callable[[], object]] = {
        "sampled pairs": lambda: made.matrix(rows, 1 << 40, 0),
        "prediction": lambda: [scored.outputs[0].shape for scored in made.score([head], rows)],
    }
    with redirect_stderr(StringIO()):
        examples(1, 50).matrix(np.arange(1), 1, 0)  # what the first call alone costs
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = memory("VmRSS")
        start = time.perf_counter()
        jobs[what]()
        seconds = time.perf_counter() - start
    return seconds / chains, memory("VmHWM") - before


def memory(line: str) -> float:
    """A figure of /proc/self/status, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{line}:")[2].split()[0]) / 1024


def main() -> None:
    """Print epochs, ratios, and the cost of contact features."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--data", type=Path, help="folder of shared data")
    given.add_argument("--vectors", type=Path, help="file of pooled embeddings, labels and folds")
    parser.add_argument("--size", choices=SIZES, default="8M")
    parser.add_argument("--proteins", type=int, default=2000, help="in the cache")
    parser.add_argument("--contacts", action="store_true", help="leave out the epochs")
    parser.add_argument("--sample", type=int, default=100, help="of them, through the trunk")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.vectors:
        experiments(options.vectors)
        by_scikit_learn(options.vectors)
        return
    if not options.contacts:
        with tempfile.TemporaryDirectory() as folder:
            training(options, Path(folder))
    layers, width, heads = SIZES[options.size]
    whole, residue = LENGTH * (LENGTH - 1) * layers * heads / 1e6, LENGTH * width * 2 / 1e6
    print(f"contact features, {options.size} trunk, one core; cached whole in half precision, the attention of a chain")
    print(f"of {LENGTH} would be {whole:.0f} MB, its residue embeddings are {residue:.1f} MB")
    for what in ("sampled pairs", "prediction"):
        for chains, length in ((4, LENGTH), (16, LENGTH), (4, 2 * LENGTH)):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds, megabytes = pool.apply(contact_job, (options.size, what, chains, length))
            print(f"  {what:14} {chains:3} chains of {length}: {seconds:6.2f} s a chain, peak {megabytes:5.0f} MB more")


if __name__ == "__main__":
    main()
