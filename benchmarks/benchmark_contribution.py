"""Whether what a residue adds to a score, by its substitutions, is what was planted in the demo's proteome.

    python benchmarks/benchmark_contribution.py --run results/demo [--proteins 12]

For a labelled protein of each family the truth is asked the same question as the head: by how much does the score fall,
on average over the 19 substitutions of a residue? Beside the head stands the hydrophobicity of the residue alone. Asked
are the order of all residues, and whether the tenth that harm the most are found.
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from scipy.stats import spearmanr

from foldgraft.metrics.ranking import roc_auc
from foldgraft.models.trunk import Trunk
from foldgraft.predict.scan import scan
from foldgraft.predict.sequences import Candidate
from foldgraft.predict.variants import substitutions
from foldgraft.synth import evolve, solubility
from foldgraft.synth.potential import HYDROPHOBICITY
from foldgraft.synth.proteome import make_family
from foldgraft.synth.settings import SynthSettings
from foldgraft.tasks.trained import load_head

WEIGHTS = -np.array([solubility.CHARGE_WEIGHT, solubility.SURFACE_WEIGHT, solubility.BLOCK_WEIGHT])


def truth(land, states: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """What each residue adds to the planted score, shape (L,)."""
    length = len(states)
    changed = np.tile(states, (length * 20, 1))
    changed[np.arange(length * 20), np.repeat(np.arange(length), 20)] = np.tile(np.arange(20), length)
    score = solubility.features(land, changed) / spread @ WEIGHTS
    own = solubility.features(land, states[None]) / spread @ WEIGHTS
    return -(score - own).reshape(length, 20).sum(axis=1) / 19  # the twentieth is the residue itself


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("config/demo.yaml"))
    parser.add_argument("--experiment", default="solubility")
    parser.add_argument("--proteins", type=int, default=12)
    asked = parser.parse_args()
    settings = SynthSettings.model_validate(yaml.safe_load(asked.config.read_text())["synth"])
    trunk = Trunk.load(asked.run / "trunk/model.safetensors", asked.run / "trunk/trunk.json")
    head = load_head(asked.run / f"train/{asked.experiment}/head.safetensors", trunk)
    families = [make_family(settings, number) for number in range(settings.families)]
    spread = np.concatenate([solubility.features(f.land, f.labelled) for f in families]).std(axis=0)
    found = []
    for family in families[: asked.proteins]:
        states = family.labelled[0]
        sequence = evolve.letters(states)
        seen = scan(Candidate("protein", sequence, ""), substitutions(sequence), head, trunk).contribution
        planted = truth(family.land, states, spread)
        worst = planted <= np.quantile(planted, 0.1)
        alone = -np.array([HYDROPHOBICITY[letter] for letter in sequence])
        row = [spearmanr(one, planted).statistic for one in (seen, alone)]
        row += [roc_auc(worst, -one).item() for one in (seen, alone)]
        found.append(row)
        print(f"{len(sequence)} residues: " + " ".join(f"{value:.3f}" for value in row))
    for name, values in zip(
        ("rank correlation with the planted contribution, head", "the same, hydrophobicity alone",
         "ROC-AUC of the worst tenth, head", "the same, hydrophobicity alone"), np.array(found).T, strict=True
    ):  # fmt: skip
        print(f"{name}: mean {values.mean():.3f}, {values.min():.3f} to {values.max():.3f} over {len(values)} proteins")


if __name__ == "__main__":
    main()
