"""A contact experiment: sampled pairs fitted on the frozen trunk, all pairs predicted, a chain at a time."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

from foldgraft.errors import FoldgraftError
from foldgraft.models.feature_pairs import Coevolution, Layout
from foldgraft.models.head_contact import ContactHead, build_contact, score_pairs
from foldgraft.models.head_file import HeadInfo, Member, Shape, Trained
from foldgraft.models.head_maps import contact_map
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.fingerprint import Identity
from foldgraft.progress import progress
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.predictions import CONTACT
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import Contacts
from foldgraft.train.calibration import fit_scale_shift
from foldgraft.train.checks import check_trunk, run_checks, summary
from foldgraft.train.contact_data import (
    ChainPairs,
    Pairs,
    choose_chains,
    gather,
    gather_all,
    precision_at_length,
    read_chains,
    residues,
)
from foldgraft.train.loop import Batch, Plan, Score, fit, seed_everything
from foldgraft.train.losses import logit, loss
from foldgraft.train.outputs import Outputs, versions, write_results
from foldgraft.train.settings import ContactExperiment


@dataclass(frozen=True)
class Inputs:
    """What a contact experiment reads."""

    split: Path
    targets: Sequence[Path]
    coevolution: Sequence[Path]
    embeddings: Embeddings | None
    trunk: Trunk


def train(name: str, experiment: ContactExperiment, inputs: Inputs, outputs: Outputs) -> None:
    """Train the members of an experiment, write its results, and predict validation and test chains.

    Attention is not kept whole anywhere: training keeps that of sampled pairs in memory (`max_chains` x
    `pairs_per_chain` x features, four bytes each), validation that of all pairs on disk, beside the results, two bytes
    each, and prediction takes it a layer at a time. Memory grows with the square of the longest chain, not with the
    number of chains. benchmarks/benchmark_train.py says what it costs.

    Raises
    ------
    FoldgraftError
        if a set has no chain, the training pairs no contact or nothing else, inputs that the features need are
        missing or another trunk's, or a check fails.
    """
    trunk, embeddings = inputs.trunk, checked_embeddings(experiment, inputs)
    before = trunk.state_sha256()
    layout = Layout(experiment.features, trunk.layers, trunk.heads)
    table = choose_chains(inputs.targets, inputs.split, experiment)

    def chosen(rows: pd.Series, what: str) -> Iterator[tuple[Contacts, Coevolution | None]]:
        ids = set(table.loc[rows, "id"])
        chains = read_chains(inputs.targets, inputs.coevolution, ids)
        return progress(chains, f"{name}: {what}", total=len(ids))

    fitting, valid = table["fit"] & (table["split"] == "train"), table["fit"] & (table["split"] == "valid")
    training = gather(
        chosen(fitting, "training chains"), layout, trunk, embeddings, experiment.pairs_per_chain, experiment.seed
    )
    outputs.head.parent.mkdir(parents=True, exist_ok=True)
    spool = TemporaryFile(dir=outputs.head.parent)  # noqa: SIM115 (it lives as long as the pairs that refer to it)
    validation = gather_all(chosen(valid, "validation chains"), layout, trunk, embeddings, spool)
    _check_pairs(training, validation)

    pairs = Pairs(training)
    first = initial_head(experiment, training, pairs, experiment.seed, trunk)
    few = torch.randperm(len(pairs), generator=seed_everything(experiment.seed))[: experiment.batch_size]
    checks = run_checks(first, pairs[few].to(trunk.device), "bce", _base_rate(training), experiment.optimizer, trunk)
    del pairs  # each member makes its own

    heads, members, history = [], [], []
    for number in progress(range(experiment.members), f"{name}: members"):
        seed = experiment.seed + number
        head, best, rows = train_member(experiment, training, validation, seed, trunk)
        heads.append(head)
        members.append({"seed": seed, "fold": None, "best_epoch": best})
        history += [{"member": number, **row} for row in rows]
    logits = np.concatenate([_validation_logits(heads, chain, trunk) for chain in validation], axis=1)
    temperature, shift = fit_scale_shift(logits, np.concatenate([chain.labels for chain in validation]))
    del training, validation
    spool.close()
    members = [Member(**member, temperature=temperature, shift=shift) for member in members]
    trained = Trained(head_info(name, experiment, layout, trunk, members), heads)
    predict(trained, layout, chosen(table["predicted"], "predicted chains"), table, inputs.trunk, embeddings, outputs)
    proof = summary(checks, heads[0], trunk, before, trunk.state_sha256())
    write_results(outputs, heads, trained.info, history, experiment, proof)
    print(f"{name}: temperature {temperature:.2f}, shift {shift:.2f}", file=sys.stderr)


def checked_embeddings(experiment: ContactExperiment, inputs: Inputs) -> Embeddings | None:
    """The embeddings if the features want them.

    Raises
    ------
    FoldgraftError
        if embeddings or coevolution are wanted but not given, or the embeddings are another trunk's.
    """
    if "coevolution" in experiment.features and not inputs.coevolution:
        raise FoldgraftError("features: `coevolution` needs the msa stage's scores (--coevolution), and none are given")
    if "embedding" not in experiment.features:
        return None
    if inputs.embeddings is None:
        raise FoldgraftError("features: `embedding` needs the embed stage's files (--embeddings), and none are given")
    check_trunk(inputs.embeddings, inputs.trunk)
    return inputs.embeddings


def _check_pairs(training: list[ChainPairs], validation: list[ChainPairs]) -> None:
    contacts = sum(chain.contacts for chain in training)
    usable = sum(chain.usable for chain in training)
    if not contacts or contacts == usable:
        raise FoldgraftError(
            f"contacts: {contacts} of the {usable} training pairs are in contact; a head needs both kinds. "
            "Give more or longer structures"
        )
    if not validation:
        raise FoldgraftError("contacts: no validation chain is long enough to have pairs; give more structures")


def _base_rate(chains: list[ChainPairs]) -> float:
    return sum(chain.contacts for chain in chains) / sum(chain.usable for chain in chains)


def initial_head(
    experiment: ContactExperiment, chains: list[ChainPairs], pairs: Pairs, seed: int, trunk: Trunk
) -> ContactHead:
    """An untrained head that knows the training pairs' mean, deviation and base rate, and nothing else."""
    seed_everything(seed)
    embedding = pairs.residue.shape[1]
    width = pairs.features.shape[1]
    head = build_contact(experiment.head, width, embedding, experiment.hidden, experiment.rank, experiment.dropout)
    head.normalise.fit(pairs.features)
    if embedding:
        head.normalise_residue.fit(pairs.residue)
    nn.init.constant_(head.out.bias, logit(_base_rate(chains)))
    return head.to(trunk.device)


def train_member(
    experiment: ContactExperiment,
    training: list[ChainPairs],
    validation: list[ChainPairs],
    seed: int,
    trunk: Trunk,
) -> tuple[ContactHead, int, list[dict[str, Any]]]:
    """Train one member; its head, its best epoch, its history."""
    if experiment.members > 1:
        drawn = np.random.default_rng(seed).integers(len(training), size=len(training))
        training = [training[number] for number in drawn]
        _check_pairs(training, validation)
    pairs = Pairs(training)
    head = initial_head(experiment, training, pairs, seed, trunk)
    generator = seed_everything(seed)

    def evaluate(head: nn.Module) -> Score:
        scores = [_validation_logits([head], chain, trunk)[0] for chain in validation]
        precision = [precision_at_length(s, chain) for s, chain in zip(scores, validation, strict=True)]
        truth = torch.from_numpy(np.concatenate([chain.labels for chain in validation])).float()
        value = float(loss("bce", torch.from_numpy(np.concatenate(scores)).float(), truth))
        return Score(value, float(np.nanmean(precision)) if not np.isnan(precision).all() else float("nan"))

    plan = Plan(
        loss="bce",
        optimizer=experiment.optimizer,
        epochs=experiment.epochs,
        patience=experiment.patience,
        gradient_clip=experiment.gradient_clip,
        monitor="loss" if experiment.monitor == "loss" else "metric",
    )
    done = fit(head, _batches(pairs, experiment, generator), evaluate, plan, trunk.device)
    return head, done.best_epoch, done.history


def _batches(pairs: Pairs, experiment: ContactExperiment, generator: torch.Generator) -> DataLoader[Batch]:
    size = len(pairs) if experiment.optimizer.name == "lbfgs" else experiment.batch_size
    sampler = BatchSampler(RandomSampler(pairs, generator=generator), size, drop_last=False)
    return DataLoader(pairs, sampler=sampler, batch_size=None, generator=torch.Generator())


def _validation_logits(heads: Sequence[ContactHead], chain: ChainPairs, trunk: Trunk) -> np.ndarray:
    """Logits of the pairs of a validation chain; shape (M, S), float64."""
    scores = score_pairs(heads, chain.blocks(), chain.i, chain.j, chain.residue, trunk.device)
    return scores.cpu().numpy().astype(np.float64)


def predict(
    trained: Trained,
    layout: Layout,
    chains: Iterator[tuple[Contacts, Coevolution | None]],
    table: pd.DataFrame,
    trunk: Trunk,
    embeddings: Embeddings | None,
    outputs: Outputs,
) -> None:
    """Write the maps of validation and test chains, one at a time."""
    places = table.set_index("id")[["split", "fold"]]
    left_out = 0
    with row_writer(outputs.predictions, CONTACT) as writer:
        for chain, coevolution in chains:
            if embeddings is not None and chain.sequence_sha256 not in embeddings:
                left_out += 1
                continue
            residue = residues(embeddings, chain)
            writer.write(
                {
                    "id": chain.id,
                    "sequence_sha256": chain.sequence_sha256,
                    "split": places.at[chain.id, "split"],
                    "fold": int(places.at[chain.id, "fold"]),
                    "length": len(chain.sequence),
                    "scores": contact_map(trained, layout, trunk, chain.sequence, coevolution, residue),
                }
            )
    if left_out:
        print(f"contacts: {left_out} chains not predicted, without embedding", file=sys.stderr)


def head_info(
    name: str, experiment: ContactExperiment, layout: Layout, trunk: Trunk, members: list[Member]
) -> HeadInfo:
    """What the head's file says of it."""
    embedding = trunk.width if "embedding" in experiment.features else 0
    return HeadInfo(
        name=name,
        task="contact",
        head=experiment.head,
        shape=Shape(width=layout.width, embedding=embedding, hidden=experiment.hidden, rank=experiment.rank),
        features=list(experiment.features),
        columns=layout.names,
        members=members,
        threshold=None,
        normalisation="training mean and deviation of each column: normalise.mean, normalise.std",
        trunk=Identity.of(trunk),
        experiment=experiment.model_dump(mode="json"),
        versions=versions(),
    )
