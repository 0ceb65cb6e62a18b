"""The contact potential under which the synthetic families evolve.

Like that of Miyazawa and Jernigan (1996) it is a 20 x 20 matrix of contact energies, but built from four properties, so
that its meaning is plain: hydrophobic residues stick together, opposite charges attract, a large residue wants a small
neighbour, and cysteines pair. Each residue is a vector; the log-odds of a contact are the product of the two vectors.
"""

from dataclasses import dataclass

import numpy as np

from foldgraft.geometry import Array, distances
from foldgraft.residues import AMINO_ACIDS
from foldgraft.synth.fold import Fold, contacts

HYDROPHOBICITY = {
    "A": 0.31, "C": 1.54, "D": -0.77, "E": -0.64, "F": 1.79, "G": 0.0, "H": 0.13, "I": 1.80, "K": -0.99, "L": 1.70,
    "M": 1.23, "N": -0.60, "P": 0.72, "Q": -0.22, "R": -1.01, "S": -0.04, "T": 0.26, "V": 1.22, "W": 2.25, "Y": 0.96,
}  # fmt: skip
"""Octanol-water scale, units of log10 of the partition (Fauchère and Pliska 1983)."""

VOLUME = {
    "A": 88.6, "C": 108.5, "D": 111.1, "E": 138.4, "F": 189.9, "G": 60.1, "H": 153.2, "I": 166.7, "K": 168.6,
    "L": 166.7, "M": 162.9, "N": 114.1, "P": 112.7, "Q": 143.8, "R": 173.4, "S": 89.0, "T": 116.1, "V": 140.0,
    "W": 227.8, "Y": 193.6,
}  # fmt: skip
"""Residue volumes, cubic angstrom (Zamyatnin 1972)."""

CHARGE = {"D": -1.0, "E": -1.0, "K": 1.0, "R": 1.0}
"""At pH 7, elementary charges; histidine counts as neutral."""

BACKGROUND = {
    "A": 8.3, "C": 1.4, "D": 5.5, "E": 6.7, "F": 3.9, "G": 7.1, "H": 2.3, "I": 5.9, "K": 5.8, "L": 9.7, "M": 2.4,
    "N": 4.1, "P": 4.7, "Q": 3.9, "R": 5.5, "S": 6.6, "T": 5.3, "V": 6.9, "W": 1.1, "Y": 2.9,
}  # fmt: skip
"""Frequencies in proteins, per cent (rounded from UniProtKB/Swiss-Prot statistics)."""

FAVOURED = {"H": "AELMQKRH", "E": "VIYFWTC", "T": "GNDP", "L": "GNPSD"}
"""Residues that each state of a layout prefers (after Chou and Fasman 1978)."""

WEIGHT_HYDROPHOBIC, WEIGHT_CHARGE, WEIGHT_VOLUME, WEIGHT_CYSTEINE = 0.3, 1.15, 0.65, 3.0
"""Log-odds per contact, of standardised properties (charge: per pair of unit charges; cysteine: per pair)."""
SITE_BURIAL, SITE_STATE, SITE_NOISE, CONSERVED = 0.8, 0.5, 1.0, 4.5
"""Log-odds per site: of hydrophobicity per standard deviation of burial, of a favoured residue, the spread of the
family's own taste, and of the founder's residue at a conserved site."""
CONSERVED_FRACTION = 0.19
NEIGHBOUR_CUTOFF = 10.0  # angstrom between CB, for burial
TYPICAL_CONTACTS = 1.5  # per residue, where couplings have their full strength
COUPLED_SEPARATION = 6  # residues; nearer pairs have the preferences of their secondary structure


def table(values: dict[str, float]) -> Array:
    """The values in the order of `AMINO_ACIDS`, absent ones zero; shape (20,)."""
    return np.array([values.get(letter, 0.0) for letter in AMINO_ACIDS])


def standard(values: Array) -> Array:
    """The values less their mean, in standard deviations."""
    return (values - values.mean()) / values.std()


def property_vectors() -> tuple[Array, Array]:
    """Vectors u and v, shape (20, 4) each, such that u[a] . v[b] is the log-odds of a contact between a and b."""
    hydrophobic = standard(table(HYDROPHOBICITY))
    volume = standard(table(VOLUME))
    vectors = np.stack([hydrophobic, table(CHARGE), volume, table({"C": 1.0})], axis=1)
    weights = np.array([WEIGHT_HYDROPHOBIC, -WEIGHT_CHARGE, -WEIGHT_VOLUME, WEIGHT_CYSTEINE])
    return vectors, vectors * weights


@dataclass(frozen=True)
class Landscape:
    """What a family evolves on: fields (L, 20), coupled pairs (M, 2) and their strength, and exposure (L,)."""

    fields: Array
    pairs: Array
    strength: float
    exposed: Array


def landscape(rng: np.random.Generator, fold: Fold, cutoff: float) -> Landscape:
    """Fields from background, burial, secondary structure and the family's own taste; couplings on all contacts."""
    cb = distances(fold.atoms[:, 2])
    neighbours = (cb < NEIGHBOUR_CUTOFF).sum(1) - 1
    burial = standard(neighbours.astype(float))
    fields = np.log(table(BACKGROUND))[None] + SITE_BURIAL * burial[:, None] * standard(table(HYDROPHOBICITY))
    for i, state in enumerate(fold.layout):
        fields[i] += SITE_STATE * np.array([letter in FAVOURED[state] for letter in AMINO_ACIDS])
        if state in "HE":
            fields[i, AMINO_ACIDS.index("P")] -= 3.0
    fields += SITE_NOISE * rng.standard_normal(fields.shape)
    pairs = contacts(fold, cutoff, COUPLED_SEPARATION)
    strength = np.sqrt(TYPICAL_CONTACTS * len(fields) / len(pairs))  # else sequences freeze on the densest folds
    return Landscape(fields, pairs, float(strength), neighbours < np.median(neighbours))
