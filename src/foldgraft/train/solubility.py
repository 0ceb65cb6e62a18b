"""A solubility experiment from cached embeddings: members trained, calibrated, and asked for their predictions."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from foldgraft.models.head_file import HeadInfo, Member, Shape
from foldgraft.models.heads import HEADS, SolubilityHead, build
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.fingerprint import Identity
from foldgraft.progress import progress
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.predictions import SOLUBILITY
from foldgraft.records.tables import write_frame
from foldgraft.train.calibration import ensemble, fit_temperature, fit_threshold
from foldgraft.train.checks import check_trunk, run_checks, summary
from foldgraft.train.loop import Plan, Score, fit, seed_everything
from foldgraft.train.losses import logit, loss
from foldgraft.train.members import Group, assign
from foldgraft.train.outputs import Outputs, versions, write_results
from foldgraft.train.settings import SolubilityExperiment
from foldgraft.train.solubility_data import Proteins, loader

NORMALISING = {"pooled": 20_000, "residue": 512}  # most training proteins that say what mean and deviation are


@dataclass(frozen=True)
class Result:
    """One member, trained."""

    head: SolubilityHead
    best_epoch: int
    history: list[dict[str, Any]]


def train(
    name: str,
    experiment: SolubilityExperiment,
    table: pd.DataFrame,
    embeddings: Embeddings,
    trunk: Trunk,
    outputs: Outputs,
) -> None:
    """Train all members of an experiment and write its results.

    Parameters
    ----------
    table
        labelled proteins, as `foldgraft.train.solubility_data.read_table` gives them.

    Raises
    ------
    FoldgraftError
        if the embeddings are another trunk's, the split cannot serve (see `foldgraft.train.members.assign`), or a
        check fails.
    """
    check_trunk(embeddings, trunk)
    before = trunk.state_sha256()
    proteins = Proteins(table, embeddings, HEADS[experiment.head].reads)
    groups = assign(table, experiment)
    first = initial_head(experiment, proteins, groups[0], groups[0].seeds[0], trunk)
    batch = proteins[_extremes(proteins, groups[0].train, experiment.batch_size)].to(trunk.device)
    rate = float(proteins.labels[groups[0].train].mean())
    checks = run_checks(first, batch, experiment.loss, rate, experiment.optimizer, trunk)

    heads, members, history, frames = [], [], [], []
    work = [(group, seed) for group in groups for seed in group.seeds]
    results = [
        (group, train_member(experiment, proteins, group, seed, trunk))
        for group, seed in progress(work, f"{name}: members")
    ]
    for group in groups:
        mine = [result for owner, result in results if owner is group]
        frame, temperature = predict_group(proteins, group, [result.head for result in mine], experiment, trunk.device)
        frames.append(frame)
        for seed, result in zip(group.seeds, mine, strict=True):
            history += [{"member": len(heads), **row} for row in result.history]
            members.append(Member(seed=seed, fold=group.fold, best_epoch=result.best_epoch, temperature=temperature))
            heads.append(result.head)
    predictions = pd.concat(frames, ignore_index=True)
    valid = predictions[predictions["split"] == "valid"]
    threshold = fit_threshold(valid["score"].to_numpy(), valid["label"].to_numpy())
    info = head_info(name, experiment, trunk, members, threshold)
    write_frame(outputs.predictions, predictions, SOLUBILITY)
    proof = summary(checks, heads[0], trunk, before, trunk.state_sha256())
    write_results(outputs, heads, info, history, experiment, proof)
    print(f"{name}: {len(heads)} members, threshold {threshold:.3f}", file=sys.stderr)


def _extremes(proteins: Proteins, rows: np.ndarray, count: int) -> list[int]:
    """Rows of the lowest and of the highest labels, for checks that need both."""
    half = max(1, min(count, len(rows)) // 2)
    ranked = rows[np.argsort(proteins.labels[rows], kind="stable")]
    return [*ranked[:half].tolist(), *ranked[-half:].tolist()]


def initial_head(
    experiment: SolubilityExperiment, proteins: Proteins, group: Group, seed: int, trunk: Trunk
) -> SolubilityHead:
    """An untrained head that knows the training proteins' mean, deviation and base rate, and nothing else."""
    seed_everything(seed)
    head = build(experiment.head, trunk.width, experiment.hidden, experiment.dropout)
    if head.normalise is not None:
        rows, most = group.train, NORMALISING[proteins.reads]
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        head.normalise.fit(torch.from_numpy(np.vstack([proteins.item(row) for row in rows])))
    nn.init.constant_(head.out.bias, logit(float(proteins.labels[group.train].mean())))
    return head.to(trunk.device)


def train_member(experiment: SolubilityExperiment, proteins: Proteins, group: Group, seed: int, trunk: Trunk) -> Result:
    """Train one member on its group's training proteins, stopping by its validation proteins."""
    device = trunk.device
    head = initial_head(experiment, proteins, group, seed, trunk)
    generator = seed_everything(seed)
    batches = loader(proteins, group.train, experiment.batch_size, generator, experiment.workers, device)
    labels = proteins.labels[group.valid]

    def evaluate(head: nn.Module) -> Score:
        scores = all_logits(head, proteins, group.valid, experiment.batch_size, device)
        value = float(loss(experiment.loss, torch.from_numpy(scores), torch.from_numpy(labels)))
        return Score(value, auc(labels, scores))

    plan = Plan(
        loss=experiment.loss,
        optimizer=experiment.optimizer,
        epochs=experiment.epochs,
        patience=experiment.patience,
        gradient_clip=experiment.gradient_clip,
        monitor="metric" if experiment.monitor == "auc" else "loss",
    )
    done = fit(head, batches, evaluate, plan, device)
    return Result(head, done.best_epoch, done.history)


@torch.no_grad()
def all_logits(
    head: nn.Module, proteins: Proteins, rows: np.ndarray, batch_size: int, device: torch.device
) -> np.ndarray:
    """Logits of a head for some rows, in their order; shape (N,), float32."""
    found = np.empty(len(rows), dtype=np.float32)
    place = {row: number for number, row in enumerate(rows.tolist())}
    batches = loader(proteins, rows, batch_size)
    for batch, members in zip(batches, batches.sampler, strict=True):
        values = head(*batch.to(device).inputs).float().cpu().numpy()
        found[[place[row] for row in members]] = values
    return found


def predict_group(
    proteins: Proteins,
    group: Group,
    heads: list[SolubilityHead],
    experiment: SolubilityExperiment,
    device: torch.device,
) -> tuple[pd.DataFrame, float]:
    """Predictions of a group's validation and test proteins, and the temperature fitted on the former."""

    def member_logits(rows: np.ndarray) -> np.ndarray:
        return np.stack([all_logits(head, proteins, rows, experiment.batch_size, device) for head in heads])

    valid = member_logits(group.valid)  # (M, N)
    temperature = fit_temperature(valid.astype(np.float64), proteins.labels[group.valid])
    frames = []
    for split, rows, values in (("valid", group.valid, valid), ("test", group.test, member_logits(group.test))):
        scores = ensemble(values.astype(np.float64), temperature)
        frame = proteins.table.iloc[rows][["id", "sequence_sha256", "fold", "label"]].reset_index(drop=True)
        frames.append(
            frame.assign(
                split=split, score=scores.mean(axis=0), score_low=scores.min(axis=0), score_high=scores.max(axis=0)
            )
        )
    return pd.concat(frames, ignore_index=True), temperature


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """ROC-AUC, labels of 0.5 and more being positive; NaN where there is a single class or a score is no number."""
    truth = labels >= 0.5
    if truth.all() or not truth.any() or not np.isfinite(scores).all():
        return float("nan")
    return float(roc_auc_score(truth, scores))


def head_info(
    name: str, experiment: SolubilityExperiment, trunk: Trunk, members: list[Member], threshold: float
) -> HeadInfo:
    """What the head's file says of it."""
    reads = HEADS[experiment.head].reads
    scaled = reads != "letters"
    return HeadInfo(
        name=name,
        task="solubility",
        head=experiment.head,
        shape=Shape(width=trunk.width, hidden=experiment.hidden),
        features=[reads],
        columns=[],
        members=members,
        threshold=threshold,
        normalisation="training mean and deviation of each dimension: normalise.mean, normalise.std"
        if scaled
        else "none",
        trunk=Identity.of(trunk),
        experiment=experiment.model_dump(mode="json"),
        versions=versions(),
    )
