"""Chapter: the trunk, and the proof that it stayed frozen."""

import numpy as np

from foldgraft.report.drawing import BLUE, GREY, canvas, count, number, svg
from foldgraft.report.page import Block, Figure, Section, Table, Text
from foldgraft.report.run import Run

SMALL_GAIN = 0.9
"""A perplexity of this part of that of letter frequencies, or more, is hardly a gain."""


def section(run: Run) -> Section:
    """The chapter on the trunk."""
    if not run.trunk:
        return Section("trunk", "Trunk", [Text("This run has no trunk.", "note")])
    blocks: list[Block] = [Text(worth(run)), *_heads(run), *_proof(run), _facts(run), *_left_out(run)]
    blocks += [*_pretraining(run), *_frozen(run)]
    return Section("trunk", "Trunk", blocks, folded=True)


def worth(run: Run) -> str:
    """What the trunk is, and what its perplexity says it is worth, in one or two sentences."""
    name, size = run.trunk.get("name", "unnamed"), count(run.trunk.get("parameters", 0))
    learnt = run.trunk.get("pretraining") or {}
    perplexity, unigram = learnt.get("valid_perplexity"), learnt.get("unigram_perplexity")
    if perplexity is None or unigram is None:
        source = (run.trunk.get("source") or {}).get("kind", "")
        origin = f" ({source})" if source else ""
        return f"The trunk is {name}{origin}, with {size} parameters; none of them was trained in this run."
    here = (run.trunk.get("source") or {}).get("kind") == "pretrain"
    said = f"The trunk is {name}, with {size} parameters, pretrained {'in' if here else 'before'} this run. "
    said += "Its perplexity of masked residues is "
    said += f"{number(perplexity, 2)}, that of letter frequencies alone {number(unigram, 2)}"
    if perplexity >= unigram:
        return f"{said}: it has learnt nothing beyond letter frequencies, so expect little from its features."
    if perplexity > SMALL_GAIN * unigram:
        return f"{said}: it has learnt hardly more than letter frequencies, so expect little from its features."
    return f"{said}: it has learnt something of the context of a residue."


def _heads(run: Run) -> list[Block]:
    """What the trunk's checkpoint lacks, and what that would be for."""
    lacking = []
    if not run.trunk.get("language_head", True):
        lacking.append("no language head, so it cannot guess masked residues")
    if not run.trunk.get("contact_regression", True):
        lacking.append("no contact regression, so it predicts no contacts by itself")
    return [Text(f"Its checkpoint has {' and '.join(lacking)}. The heads of this run need neither.")] if lacking else []


def _proof(run: Run) -> list[Block]:
    proof = run.trunk.get("proof")
    if not proof:
        return []
    differences = [(what, proof.get(what)) for what in ("representations", "logits", "contacts")]
    said = ", ".join(f"{what} {value:.1e}" for what, value in differences if value is not None)
    return [
        Text(
            f"On {proof['sequences']} reference sequences the trunk was compared with the network of "
            f"{proof['against']} on the same tensors. The largest differences: {said} "
            f"(allowed: {proof['tolerance']:g})."
        )
    ]


def _facts(run: Run) -> Table:
    source = dict(run.trunk.get("source") or {})
    files = source.pop("files", {})
    rows = [("name", str(run.trunk.get("name", ""))), ("parameters", count(run.trunk.get("parameters", 0)))]
    rows += [(key.replace("_", " "), str(value)) for key, value in (run.trunk.get("architecture") or {}).items()]
    rows += [(f"source, {key}", str(value)) for key, value in source.items()]
    rows += [(f"sha256 of {name}", digest) for name, digest in files.items()]
    if adapter := run.trunk.get("adapter"):
        rows.append(("adapter", f"{adapter['name']}, merged into {adapter['matrices']} matrices"))
        rows += [(f"sha256 of {name}", digest) for name, digest in adapter["files"].items()]
    rows.append(("sha256 of the weights", str(run.trunk.get("sha256", ""))))
    return Table(("trunk", ""), rows)


def _left_out(run: Run) -> list[Block]:
    left_out = run.trunk.get("left_out", {}) | (run.trunk.get("adapter") or {}).get("left_out", {})
    if not left_out:
        return []
    return [Table(("tensor of the checkpoint that is not used", "why"), list(left_out.items()))]


def _pretraining(run: Run) -> list[Block]:
    history = run.pretraining
    learnt = run.trunk.get("pretraining") or {}
    if history.empty or not {"step", "valid_perplexity"} <= set(history.columns):
        return []
    figure, (axes,) = canvas(6.2, 2.8)
    axes.plot(history["step"], history["valid_perplexity"], color=BLUE, marker="o", ms=2.5, label="this trunk")
    unigram = learnt.get("unigram_perplexity")
    if unigram is not None:
        axes.axhline(unigram, color=GREY, ls="--", label="letter frequencies")
    axes.set(xlabel="step", ylabel="perplexity of masked residues", title="Pretraining")
    axes.legend()
    first, last = history["valid_perplexity"].iloc[0], history["valid_perplexity"].iloc[-1]
    beside = f"; letter frequencies reach {number(unigram, 2)}" if unigram is not None else ""
    return [
        Figure(
            svg(figure, "pretraining"),
            f"Perplexity over {int(history['step'].iloc[-1])} steps, from {number(first, 2)} to "
            f"{number(last, 2)}{beside}.",
            "Perplexity of masked residues in validation sequences while the trunk was pretrained.",
            f"Masked-language modelling on {count(learnt.get('train_sequences', 0))} sequences for "
            f"{number(learnt.get('seconds', np.nan), 0)} seconds; measured on masked positions only, since positions "
            "left as they are would flatter it.",
            f"It fell from {number(first, 2)} to {number(last, 2)}{beside}.",
        )
    ]


def _frozen(run: Run) -> list[Block]:
    rows, tones, failed = [], {"yes": "good", "NO": "bad"}, []
    for experiment in run.experiments:
        checks = experiment.checks
        if not checks:
            continue
        frozen = (checks.get("trunk") or {}).get("frozen")
        tests = checks.get("checks") or []
        failed += [f"{experiment.name}: {test['name']}" for test in tests if not test.get("passed")]
        rows.append(
            (
                experiment.name,
                count(checks.get("trainable", 0)),
                count(checks.get("frozen", 0)),
                "yes" if frozen else "NO",
                f"{len(tests)} run before training",
            )
        )
    if not rows:
        return []
    head = ("experiment", "trained parameters", "frozen parameters", "trunk unchanged", "checks")
    caption = "The trunk's tensors are hashed before and after training: unchanged means that the two hashes are equal."
    blocks: list[Block] = [Table(head, rows, caption, tones)]
    if failed:
        blocks.append(Text(f"Checks that did not pass: {', '.join(failed)}.", "bad"))
    return blocks
