"""The whole proteome: families of structures, homologs, labelled sequences and constructs, and the truth about them."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foldgraft.geometry import CONTACT_CUTOFF, Array
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.metrics.ranking import roc_auc
from foldgraft.progress import progress
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import atomic, sealed, write_json
from foldgraft.residues import AMINO_ACIDS
from foldgraft.synth import evolve, solubility
from foldgraft.synth.deposit import dna
from foldgraft.synth.entries import Entry, document, quirk_of, suited
from foldgraft.synth.fold import Fold, compact, contacts, vary
from foldgraft.synth.potential import Landscape, landscape
from foldgraft.synth.settings import DNA_ENTRY, SynthSettings, entry_names, family_name

FOLD, EVOLUTION, HOMOLOGS, ENTRIES, CONSTRUCTS, LABELS = range(6)
"""What a random generator is for: it is seeded with (seed, purpose, number), so that no part disturbs another."""


@dataclass(frozen=True)
class Family:
    """A family and its sequences (rows of states, each for one purpose)."""

    number: int
    fold: Fold
    land: Landscape
    conserved: Array
    structures: Array
    constructs: Array
    labelled: Array
    homologs: Array


def write(
    settings: SynthSettings, structures: Path, sequences: Path, labels: Path, constructs: Path, truth: Path
) -> None:
    """Make the proteome and write its five parts; the same settings give the same bytes."""
    families = [make_family(settings, number) for number in progress(range(settings.families), "families")]
    quirks = write_structures(settings, families, structures)
    write_homologs(settings, families, sequences)
    figures = write_labels(settings, families, labels)
    write_fasta(constructs, make_constructs(settings, families))
    write_json(truth, {"families": [describe(settings, family) for family in families], "quirks": quirks, **figures})


def generator(settings: SynthSettings, purpose: int, number: int) -> np.random.Generator:
    """The random generator of one purpose and one family or entry."""
    return np.random.default_rng([settings.seed, purpose, number])


def make_family(settings: SynthSettings, number: int) -> Family:
    """A fold, and all sequences that the family gives."""
    rng = generator(settings, FOLD, number)
    fold = compact(rng, settings.shortest, settings.longest)
    rng = generator(settings, EVOLUTION, number)
    land = landscape(rng, fold, CONTACT_CUTOFF)
    labelled = settings.labels // settings.families + (number < settings.labels % settings.families)
    new = -(-settings.constructs // settings.families)
    sizes = [settings.structures_per_family, new, labelled, settings.homologs_per_family]
    states, conserved = evolve.family(rng, land, sum(sizes))
    parts = np.split(states, np.cumsum(sizes)[:-1])
    return Family(number, fold, land, conserved, *parts)


def write_structures(settings: SynthSettings, families: list[Family], folder: Path) -> dict[str, str]:
    """One `<entry>.cif.gz` per entry; returns the quirk of each."""
    names = entry_names(settings)
    jobs = [(family, row) for family in families for row in family.structures]
    quirks = {}
    for number, (name, (family, row)) in enumerate(progress(list(zip(names, jobs, strict=False)), "structures")):
        rng = generator(settings, ENTRIES, number)
        quirks[name] = quirk_of(number)
        sequence = suited(quirks[name], evolve.letters(row))
        entry = Entry(name, quirks[name], sequence, vary(rng, family.fold))
        write_gzip(folder / f"{name}.cif.gz", document(rng, entry))
    write_gzip(folder / f"{DNA_ENTRY}.cif.gz", dna(generator(settings, ENTRIES, len(jobs)), DNA_ENTRY))
    return quirks | {DNA_ENTRY: "dna"}


def write_homologs(settings: SynthSettings, families: list[Family], path: Path) -> None:
    """The search database: homologs with their insertions, deletions and fragments, families mixed."""
    records = []
    for family in families:
        rng = generator(settings, HOMOLOGS, family.number)
        for number, row in enumerate(family.homologs, start=1):
            name = f"{family_name(family.number)}_{number:04d}"
            records.append(f">{name}\n{evolve.worn(rng, evolve.letters(row), family.fold.layout)}\n")
    order = generator(settings, HOMOLOGS, len(families)).permutation(len(records))
    write_gzip(path, "".join(records[i] for i in order))


def write_labels(settings: SynthSettings, families: list[Family], path: Path) -> dict[str, dict[str, float]]:
    """The labelled table, and how well its labels can be known: by composition, and by the true probability."""
    values = np.concatenate([solubility.features(f.land, f.labelled) for f in families])
    number = np.repeat([f.number for f in families], [len(f.labelled) for f in families])
    rows = [row for f in families for row in f.labelled]
    chance = solubility.probabilities(values, number)
    rng = generator(settings, LABELS, 0)
    soluble = (rng.random(len(chance)) < chance).astype(int)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("id", "sequence", "solubility"))
    for place, i in enumerate(rng.permutation(len(rows)).tolist(), start=1):
        writer.writerow((f"label{place:05d}", evolve.letters(rows[i]), soluble[i]))
    with sealed(path) as temporary:
        temporary.write_text(table.getvalue())
    figures = {
        "soluble_fraction": soluble.mean(),
        "oracle_auc": roc_auc(soluble == 1, chance).item(),
        "composition_auc": solubility.composition_auc(rows, soluble, number),
    }
    return {"solubility": {name: round(float(value), 4) for name, value in figures.items()}}


def make_constructs(settings: SynthSettings, families: list[Family]) -> Iterator[tuple[str, str]]:
    """A wild type with three point mutants, then wild types of other families, `settings.constructs` in all."""
    rng = generator(settings, CONSTRUCTS, 0)
    wild = [evolve.letters(f.constructs[0]) for f in families]
    wild += [evolve.letters(row) for f in families for row in f.constructs[1:]]
    records = [("construct01_wt", wild[0])]
    for site in sorted(rng.choice(len(wild[0]), 3, replace=False).tolist()):
        old = wild[0][site]
        new = str(rng.choice([letter for letter in AMINO_ACIDS if letter != old]))
        records.append((f"construct01_{old}{site + 1}{new}", wild[0][:site] + new + wild[0][site + 1 :]))
    records += [(f"construct{number:02d}_wt", sequence) for number, sequence in enumerate(wild[1:], start=2)]
    yield from records[: settings.constructs]


def describe(settings: SynthSettings, family: Family) -> dict:
    """What is true of a family; sites are counted from 0 along the fold, which no insertion shifts."""
    first = family.number * settings.structures_per_family
    return {
        "name": family_name(family.number),
        "length": len(family.fold.layout),
        "secondary_structure": family.fold.secondary_structure,
        "contacts": contacts(family.fold, CONTACT_CUTOFF, LEAST_SEPARATION).tolist(),
        "conserved": family.conserved.tolist(),
        "exposed": np.flatnonzero(family.land.exposed).tolist(),
        "entries": entry_names(settings)[first : first + settings.structures_per_family],
    }


def write_gzip(path: Path, text: str) -> None:
    """Write text gzip-compressed, without the time and the name that would make equal contents differ."""
    with atomic(path) as temporary:
        temporary.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0))
