"""Curate one structure file: it ends as chains, as rejects, or as both, and no atom is lost between them."""

import hashlib
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from foldgraft.curate.balance import Balance
from foldgraft.curate.chains import protein_chains
from foldgraft.curate.content import decompress, format_of, plain_text
from foldgraft.curate.entry import Drop, Entry, Strand, UnreadableError, one_line
from foldgraft.curate.filters import drop_chain, drop_entry
from foldgraft.curate.mmcif import read_mmcif
from foldgraft.curate.pdb import read_pdb
from foldgraft.curate.predicted import confidence
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.user_sequences import MAX_DISAGREEMENT, with_supplied
from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import Chain
from foldgraft.records.files import ID
from foldgraft.records.rejects import Reject
from foldgraft.records.sifts import Segment


class Extra(NamedTuple):
    """What is known of the entries from outside their files."""

    sifts: Mapping[tuple[str, str], list[Segment]] = MappingProxyType({})
    sequences: Mapping[str, str] = MappingProxyType({})


@dataclass
class Curated:
    """What one structure file came to."""

    chains: list[Chain] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    atoms: Counter[str] = field(default_factory=Counter)
    """How many atoms of amino acids had which fate; see `foldgraft.curate.balance`."""


def curate_file(path: Path, row: Mapping[str, str], settings: CurateSettings, extra: Extra = Extra()) -> Curated:
    """Curate one file of the store; `row` is its row of the lock."""
    name = row["id"]
    try:
        entry = read_entry(_verified(path, row["sha256"]), settings.max_decompressed_mb * 10**6)
        return _Curation(name, row["source"], entry, settings).run(extra)
    except UnreadableError as error:
        reject = Reject(name, error.rule, error.value, error.reason)
    except Exception as error:  # a parser's own error on a malformed file must not end the batch
        traceback.print_exc()
        value = f"{type(error).__name__}: {one_line(error)}"
        reject = Reject(name, "unreadable", value, "the file cannot be understood")
    return Curated(rejects=[reject])


def read_entry(raw: bytes, limit: int) -> Entry:
    """Read a structure file's bytes, whatever their format, decompressing to at most `limit` bytes."""
    content = plain_text(decompress(raw, limit))
    return (read_mmcif if format_of(content) == "mmcif" else read_pdb)(content)


def _verified(path: Path, sha256: str) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableError("store", f"the stored file cannot be read ({error.strerror})") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise UnreadableError("store", "the stored file was damaged: its sha256 is not the one in the lock")
    return raw


class _Curation:
    """An entry on its way to chains and rejects."""

    def __init__(self, name: str, source: str, entry: Entry, settings: CurateSettings):
        self.name, self.source, self.entry, self.settings = name, source, entry, settings
        self.result, self.balance = Curated(), Balance(entry)

    def run(self, extra: Extra) -> Curated:
        for note in self.entry.notes:
            self._reject(None, note)
        drop = drop_entry(self.entry.header, self.settings) or self._no_protein()
        if drop:
            self._reject(None, drop)
            self.balance.dropped(drop.rule, np.arange(len(self.entry.residues)))
        else:
            for strand, drop in self.entry.others:
                self._reject(strand, drop)
            self.balance.others(self.entry.others)
            if extra.sequences:
                self._supply(extra.sequences)
            self._add_chains(extra)
        self.result.atoms = self.balance.total()
        return self.result

    def _reject(self, strand: Strand | None, drop: Drop) -> None:
        """Add a reject of a chain, or of the entry where the chain's name cannot be part of an id."""
        chain = f"{self.name}_{strand.label_asym_id}" if strand else ""
        self.result.rejects.append(Reject(chain if ID.fullmatch(chain) else self.name, *drop))

    def _no_protein(self) -> Drop | None:
        """The reason to drop an entry none of whose polymers is a protein."""
        if self.entry.polymers or any(drop.rule != "no_protein" for _, drop in self.entry.others):
            return None
        kinds = ", ".join(sorted({drop.value for _, drop in self.entry.others}))
        return Drop("no_protein", kinds, "the entry has no L-polypeptide chain")

    def _supply(self, sequences: Mapping[str, str]) -> None:
        """Use the sequences that the user supplies, and say what they leave out."""
        supplied = with_supplied(self.name, self.entry, sequences, self.settings.max_length)
        for polymer, same in supplied.disagreeing:
            reason = f"less than {1 - MAX_DISAGREEMENT:g} of the observed residues agree with the sequence supplied"
            self._reject(polymer.strand, Drop("sequences", f"{same:.3f}", reason))
            self.balance.dropped("sequences", polymer.members)
        for polymer, residues in supplied.left_out:
            listed = ", ".join(self.entry.residues.author[k] for k in residues[:20].tolist())
            reason = f"residues of the model without a place in the sequence supplied: {listed}"
            self._reject(polymer.strand, Drop("left_out", str(len(residues)), reason))
            self.balance.dropped("left_out", residues)
        self.entry = supplied.entry

    def _add_chains(self, extra: Extra) -> None:
        """Keep the chains that pass the filters, reject the others."""
        asked = confidence(self.entry) if self.settings.min_plddt is not None else None
        chains = protein_chains(self.name, self.entry, self.source, extra.sifts)
        first: dict[str, str] = {}
        for polymer, built in zip(self.entry.polymers, chains, strict=True):
            if isinstance(built, FoldgraftError):
                drop = Drop("chain_name", "", str(built))
            else:
                drop = drop_chain(built, self.settings, asked)
            if drop:
                self._reject(polymer.strand, drop)
                self.balance.dropped(drop.rule, polymer.members)
            else:
                chain = built.chain
                same_as = first.setdefault(chain.sequence, chain.id)
                self.result.chains.append(chain if same_as == chain.id else replace(chain, same_as=same_as))
                self.balance.kept(polymer, built.atoms)
