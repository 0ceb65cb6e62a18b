"""Settings of the synthetic proteome, and the names that follow from them alone."""

from typing import Annotated

from pydantic import Field, model_validator

from foldgraft.settings import Settings

DNA_ENTRY = "sydna"


class SynthSettings(Settings):
    """How large the synthetic proteome is, and from which seed it grows."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Seed of all random choices (a number without unit); the same seed gives the same bytes."""
    families: Annotated[int, Field(ge=2, le=99)] = 20
    """Protein families, each with a fold and a history of its own (count)."""
    shortest: Annotated[int, Field(ge=45, le=150)] = 60
    """Length of the smallest fold (residues)."""
    longest: Annotated[int, Field(ge=50, le=200)] = 110
    """Length of the largest fold (residues); at least ten more than `shortest`."""
    structures_per_family: Annotated[int, Field(ge=1, le=26)] = 3
    """Structure files per family (count); one further file holds DNA only, for the rejects."""
    homologs_per_family: Annotated[int, Field(ge=10, le=5000)] = 250
    """Sequences per family in the search database (count)."""
    labels: Annotated[int, Field(ge=20, le=100_000)] = 1200
    """Sequences with a solubility label (count), spread evenly over the families."""
    constructs: Annotated[int, Field(ge=1, le=1000)] = 12
    """New sequences to predict for (count): a wild type with three point mutants, then one wild type per family."""

    @model_validator(mode="after")
    def _room_for_lengths(self) -> "SynthSettings":
        if self.longest < self.shortest + 10:
            raise ValueError(f"longest must be at least shortest + 10 = {self.shortest + 10} (given: {self.longest})")
        return self


def family_name(family: int) -> str:
    """The name of a family, `sy00` for the first."""
    return f"sy{family:02d}"


def entry_names(settings: SynthSettings) -> list[str]:
    """The entries that will be written, as `<entry>.cif.gz`, sorted; the last holds no protein."""
    letters = "abcdefghijklmnopqrstuvwxyz"[: settings.structures_per_family]
    return [family_name(f) + letter for f in range(settings.families) for letter in letters] + [DNA_ENTRY]
