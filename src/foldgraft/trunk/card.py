"""The model card of a packaged trunk: what it was trained on, how far it came, and what it is not good for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.esm2 import Network
from foldgraft.records.files import file_sha256, read_json

METRICS = ("roc_auc", "mcc", "P@L long", "P@L/5 long")
"""What the card shows of an evaluation."""
CURVE_ROWS = 20
"""The card thins the curve to about so many rows; trunk.json has them all."""


@dataclass(frozen=True)
class Evidence:
    """What a card tells beside the pretraining itself.

    Attributes
    ----------
    corpus
        what `texts.prepare` wrote about the text.
    licences
        sequences by the licence that their source states; empty if nothing is known of them.
    metrics, comparisons
        rows of `evaluate/metrics.csv` and `evaluate/comparison.csv`, by the name of the run.
    """

    corpus: dict[str, Any]
    licences: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, pd.DataFrame] = field(default_factory=dict)
    comparisons: dict[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def read(cls, text: Path, corpus: Path, manifest: Path | None, runs: list[Path]) -> "Evidence":
        """From a text's description, a CSV of its sources, and the results folders of evaluations.

        Raises
        ------
        FoldgraftError
            if a file is missing or lacks a column, or the description is that of another text.
        """
        about = read_json(corpus)
        if not isinstance(about, dict) or about.get("sha256") != file_sha256(text):
            raise FoldgraftError(f"{corpus}: does not describe {text}; give what `trunk corpus` wrote with it")
        licences: dict[str, int] = {}
        if manifest:
            sources = _table(manifest, ["licence", "sequences_in_corpus"])
            counts = sources.fillna({"licence": "none stated"}).groupby("licence")["sequences_in_corpus"].sum()
            licences = {str(name): int(count) for name, count in counts.sort_values(ascending=False).items() if count}
        shown = ["experiment", "split", "metric", "value", "ci_low", "ci_high", "n"]
        compared = ["experiment", "baseline", "split", "metric", "difference", "ci_low", "ci_high", "n"]
        return cls(
            about,
            licences,
            {run.name: _table(run / "evaluate/metrics.csv", shown) for run in runs},
            {run.name: _table(run / "evaluate/comparison.csv", compared) for run in runs},
        )


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        return pd.read_csv(path)[columns]
    except (OSError, ValueError, KeyError) as error:
        raise FoldgraftError(f"{path}: cannot be read as a table with {', '.join(columns)} ({error})") from None


def card(name: str, network: Network, size: int, about: dict[str, Any], evidence: Evidence) -> str:
    """The card as Markdown; `size` of the weights in bytes, `about` as `package.package` gives it."""
    shape, corpus, cost = network.architecture, evidence.corpus, about["float16"]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    gain = f"{about['unigram_perplexity']:.2f} for letter frequencies, {about['first_perplexity']:.2f} before a step"
    parts = [
        f"# {name}\n",
        "A protein language model of the ESM-2 architecture (Lin et al. 2023, doi 10.1126/science.ade2574), trained "
        f"from random weights: {shape.layers} layers, {shape.width} wide, {shape.heads} heads, {parameters:,} "
        f"parameters, fair-esm's alphabet. `model.safetensors` holds it in float16 ({size / 1e6:.1f} MB), `trunk.json` "
        "describes it; in Foldgraft: `trunk: {checkpoint: <this folder>}`. It has no contact regression.\n",
        "## Data\n",
        f"{corpus['kept_sequences']:,} sequences, {corpus['kept_residues']:,} residues. Of {corpus['sequences']:,} "
        f"sequences {corpus['left_out']:,} were left out for an alignment (MMseqs2 {corpus['mmseqs']}, heuristic) of "
        f"at least {corpus['identity']:.0%} identity over at least {corpus['coverage_of_shorter']:.0%} of the shorter "
        f"sequence with one of {corpus['proteins_kept_away_from']:,} proteins that trunks are evaluated on.\n",
        *_licences(evidence.licences),
        "## Training\n",
        f"Masked-language modelling (15 % of the residues: 80 % masked, 10 % replaced, 10 % kept), {about['steps']:,} "
        f"steps, {about['tokens']:,} tokens ({about['tokens'] / corpus['kept_residues']:.1f} passes), "
        f"{about['seconds'] / 60:.1f} minutes. Settings are in `trunk.json`.\n",
        _rows(["leg", "steps", "tokens", "seconds", "tokens per second", "share of peak", "device"], _legs(about)),
        f"Perplexity of masked residues in held-back sequences ({about['valid_masked_positions']:,} positions, all "
        f"masked): **{about['valid_perplexity']:.3f}** ({gain}).\n",
        _rows(["step", "tokens", "learning rate", "training loss", "perplexity"], _curve(about["history"])),
        f"Rounding to float16 changes the perplexity to {cost['valid_perplexity']:.3f}, and representations by "
        f"{cost['relative_rms_error']:.1e} of their root mean square (the largest error is "
        f"{cost['relative_largest_error']:.1e} of it).\n",
        *_figures(evidence),
        "## Limits\n",
        "A small model after a short training: far below the published ESM-2 of the same size, which saw many times "
        "more text of far more families. Use it where nothing can be downloaded, and compare with the baselines of the "
        "report. Homologs below the identity named above were learnt from, so its figures on families of the corpus "
        f"flatter it. Sequences longer than {about['settings']['crop_length']} residues were seen in stretches only. "
        "It knows single chains, no mutants, no designed proteins.\n",
    ]
    return "\n".join(parts)


def _rows(head: list[str], rows: Iterator[tuple[Any, ...]] | list[tuple[Any, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _licences(licences: dict[str, int]) -> list[str]:
    if not licences:
        return []
    said = "Licences stated by the sources of the text, before sequences were left out; they need not cover the data:\n"
    return [said, _rows(["licence", "sequences"], [(name, f"{count:,}") for name, count in licences.items()])]


def _legs(about: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for leg in about["legs"]:
        share = f"{leg['share_of_peak']:.1%}" if "share_of_peak" in leg else ""
        figures = (f"{leg[key]:,}" for key in ("steps", "tokens", "seconds", "tokens_per_second"))
        yield leg["kind"], *figures, share, leg["device"]


def _curve(history: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    thinned = history[:: max(1, len(history) // CURVE_ROWS)]
    for row in thinned if thinned[-1] is history[-1] else [*thinned, history[-1]]:
        loss = "" if row["train_loss"] is None else f"{row['train_loss']:.4f}"
        yield (
            f"{row['step']:,}",
            f"{row['tokens']:,}",
            f"{row['learning_rate']:.2e}",
            loss,
            f"{row['valid_perplexity']:.3f}",
        )


def _figures(evidence: Evidence) -> list[str]:
    parts = ["## Figures on frozen features\n"] if evidence.metrics else []
    for run, metrics in evidence.metrics.items():
        rows = metrics[(metrics["split"] == "test") & metrics["metric"].isin(METRICS)]
        head = ["experiment", "metric", "value", "95 % interval", "proteins"]
        parts.append(f"Run `{run}`:\n")
        parts.append(
            _rows(head, [(r.experiment, r.metric, f"{r.value:.3f}", _interval(r), r.n) for r in rows.itertuples()])
        )
        pairs = evidence.comparisons[run]
        pairs = pairs[(pairs["split"] == "test") & pairs["metric"].isin(METRICS)]
        head = ["experiment", "beside", "metric", "difference", "95 % interval, paired", "proteins"]
        found = [
            (r.experiment, r.baseline, r.metric, f"{r.difference:+.3f}", _interval(r), r.n) for r in pairs.itertuples()
        ]
        parts += [_rows(head, found)] if found else []
    return parts


def _interval(row: Any) -> str:
    return f"{row.ci_low:.3f} to {row.ci_high:.3f}"
