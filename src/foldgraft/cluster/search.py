"""Searches among the sequences of a run, that leave no near copy in the way of a distant relative."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pandas as pd

from foldgraft import mmseqs
from foldgraft.cluster.settings import ClusterSettings


@dataclass
class Searches:
    """Sequences by name, and how they are searched.

    Attributes
    ----------
    sequences : mapping of name to sequence
    settings : ClusterSettings
    folder : Path
        scratch folder.
    threads : int
    """

    sequences: Mapping[str, str]
    settings: ClusterSettings
    folder: Path
    threads: int = 1
    _numbers: count = field(default_factory=count, repr=False)

    def among_all(self, queries: Iterable[str]) -> pd.DataFrame:
        """Hits of the queries among all sequences, themselves included; columns as `mmseqs.read_hits` gives them."""
        return self._search(queries, self.sequences)

    def elsewhere(self, queries: Iterable[str], groups: Mapping[str, Collection[Hashable]]) -> pd.DataFrame:
        """Hits of the queries among the sequences of other groups than their own: components, or folds.

        A sequence may be in several groups. As a query it is asked once for each, as a target it is of all.
        """
        by_group: dict[Hashable, list[str]] = {}
        for name in queries:
            for group in groups[name]:
                by_group.setdefault(group, []).append(name)
        hits = []
        for here, names in by_group.items():
            others = {name: text for name, text in self.sequences.items() if set(groups[name]) != {here}}
            hits.append(self._search(names, others))
        return pd.concat(hits, ignore_index=True) if hits else mmseqs.no_hits()

    def _search(self, queries: Iterable[str], targets: Mapping[str, str]) -> pd.DataFrame:
        folder = self.folder / f"search{next(self._numbers)}"
        folder.mkdir(parents=True)
        limits = {"sensitivity": self.settings.sensitivity, "evalue": self.settings.evalue, "threads": self.threads}
        return mmseqs.search({name: self.sequences[name] for name in queries}, targets, folder, **limits)
