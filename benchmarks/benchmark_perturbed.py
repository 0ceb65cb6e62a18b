"""What a slightly different trunk does to a shipped head: ROC-AUC or R2 after all weights of the trunk were moved.

    python benchmarks/benchmark_perturbed.py --trunk FOLDER --table TABLE [--columns fasta,solubility,partition]

Weights are moved by normal noise of a standard deviation, or each by that much in the direction that raises the head's
loss most (the sign of its gradient), which no fine-tuning on other data does and is thus the worst case. Proteins are
drawn at random; each is scored by the members that did not learn from its fold.
"""

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import r2_score, roc_auc_score

from foldgraft.alone import head_file, open_trunk
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.fingerprint import distance
from foldgraft.predict.new import predict
from foldgraft.predict.sequences import Candidate
from foldgraft.tasks.trained import Trained, load_head

SEED = 0


def gradient(trunk: Trunk, head: Trained, table: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Of the loss of the first member, with respect to the trunk's weights."""
    network = copy.deepcopy(trunk.network).requires_grad_(True)
    for row in table.itertuples():
        tokens = torch.from_numpy(alphabet.batch([alphabet.encode(row.sequence)]))
        states = [s for n, s in enumerate(network.states(tokens), 1) if n in head.info.layers]
        pooled = torch.cat([state[0, 1:-1].mean(0) for state in states])
        logit = head.members[0]([pooled[None]])[0][:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(logit, torch.tensor([row.label]).float()).backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def moved(trunk: Trunk, step: float, slope: dict[str, torch.Tensor] | None) -> Trunk:
    """The trunk with every weight moved: at random, or along the signs of a gradient."""
    network = copy.deepcopy(trunk.network)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if slope is None:
                weight += step * torch.randn(weight.shape, generator=generator)
            elif name in slope:
                weight += step * slope[name].sign()
    return Trunk(network, f"{trunk.name}, moved", "", trunk.device)


def scores(trunk: Trunk, head: Trained, table: pd.DataFrame) -> Iterator[float]:
    """The mean over the members that did not learn from a protein's fold."""
    records = (Candidate(str(row.Index), row.sequence, "") for row in table.itertuples())
    members = [member.test_fold for member in head.info.members]
    for (_, found), fold in zip(predict(records, [head], trunk), table["fold"], strict=True):
        own = [n for n, test in enumerate(members) if test == fold] or range(len(members))
        yield float(found[0].tasks[0][list(own), 0, 0].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="solubility")
    parser.add_argument("--trunk", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument(
        "--columns", default="fasta,solubility,partition", help="sequence, label, and fold if there is one"
    )
    parser.add_argument("--proteins", type=int, default=800)
    given = parser.parse_args()
    torch.set_num_threads(1)
    trunk, head = open_trunk(given.trunk), load_head(head_file(given.head))
    table = pd.read_csv(given.table)
    names = given.columns.split(",")
    table = table.rename(columns=dict(zip(names, ("sequence", "label", "fold"), strict=False))).sample(
        frac=1, random_state=SEED
    )
    table = table[table["sequence"].str.len() <= 1022].head(given.proteins)
    if "fold" not in table:
        table["fold"] = 0
    fractional = not set(table["label"]) <= {0, 1}
    measure = r2_score if fractional else roc_auc_score
    slope = gradient(trunk, head, table.head(100))
    known = np.array(head.info.trunk.fingerprint, dtype=np.float32)
    for step, way in ((0.0, None), (1e-4, None), (1e-3, None), (1e-5, slope), (1e-4, slope)):
        other = moved(trunk, step, way)
        value = measure(table["label"], list(scores(other, head, table)))
        how, what = "towards the loss" if way else "at random", "R2" if fractional else "ROC-AUC"
        print(
            f"{how:17} {step:g}: {what} {value:.4f}, fingerprint {distance(known, other.fingerprint):.4f} apart",
            flush=True,
        )


if __name__ == "__main__":
    main()
