"""Which entries and chains are kept: each rule drops with its name, the value it saw, and a sentence."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from foldgraft.curate.entry import Header
from foldgraft.curate.settings import CurateSettings
from foldgraft.records.chains import Chain


class Drop(NamedTuple):
    """Why something was dropped; the columns of `foldgraft.records.rejects` without the id."""

    rule: str
    value: str
    reason: str


def drop_entry(header: Header, settings: CurateSettings) -> Drop | None:
    """The first rule that an entry as a whole does not meet, None if it meets all."""
    return next(_entry_drops(header, settings), None)


def _entry_drops(header: Header, settings: CurateSettings) -> Iterator[Drop]:
    if settings.methods is not None:
        wanted = {method.upper() for method in settings.methods}
        if not wanted & set((header.method or "").split("; ")):
            yield Drop("methods", header.method or "", "the method is not among those wanted")
    if settings.max_resolution is not None:
        if header.resolution is None:
            yield Drop("max_resolution", "", "the entry states no resolution")
        elif header.resolution > settings.max_resolution:
            yield Drop("max_resolution", f"{header.resolution:g}", f"worse than {settings.max_resolution:g} angstrom")
    for rule in ("released_before", "released_after"):
        limit = getattr(settings, rule)
        if limit is None:
            continue
        if header.released is None:
            yield Drop(rule, "", "the entry states no release date")
        elif (header.released >= limit.isoformat()) == (rule == "released_before"):
            yield Drop(
                rule, header.released, f"released {'on or after' if rule == 'released_before' else 'before'} {limit}"
            )


def drop_chain(chain: Chain, settings: CurateSettings) -> Drop | None:
    """The first rule that a chain does not meet, None if it meets all."""
    return next(_chain_drops(chain, settings), None)


def _chain_drops(chain: Chain, settings: CurateSettings) -> Iterator[Drop]:
    length, resolved = len(chain), float(chain.resolved.mean()) if len(chain) else 0.0
    if set(chain.sequence) <= {"X"}:
        yield Drop("unknown", str(length), "no residue of the chain is known")
    if length < settings.min_length:
        yield Drop("min_length", str(length), f"shorter than {settings.min_length} residues")
    if length > settings.max_length:
        yield Drop("max_length", str(length), f"longer than {settings.max_length} residues")
    if resolved == 0:
        yield Drop("no_coordinates", "0", "no residue of the chain has a CA")
    if resolved < settings.min_resolved:
        yield Drop("min_resolved", f"{resolved:.3f}", f"less than {settings.min_resolved:g} of the residues have a CA")
    if settings.min_plddt is not None and chain.method == "PREDICTED" and chain.resolved.any():
        plddt = float(np.nanmean(chain.b_factor))
        if not plddt >= settings.min_plddt:
            yield Drop("min_plddt", f"{plddt:.1f}", f"mean pLDDT below {settings.min_plddt:g}")
