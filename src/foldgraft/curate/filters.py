"""Which entries and chains are kept: each rule drops with its name, the value it saw, and a sentence."""

from collections.abc import Iterator

import numpy as np

from foldgraft.curate.chains import UNRESOLVED, Built
from foldgraft.curate.entry import Drop, Header
from foldgraft.curate.predicted import Confidence
from foldgraft.curate.settings import CurateSettings


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


def drop_chain(built: Built, settings: CurateSettings, confidence: Confidence | None = None) -> Drop | None:
    """The first rule that a chain does not meet, None if it meets all; `confidence` of its entry, None if not asked."""
    return next(_chain_drops(built, settings, confidence), None)


def _chain_drops(built: Built, settings: CurateSettings, confidence: Confidence | None) -> Iterator[Drop]:
    chain = built.chain
    length, resolved = len(chain), float(chain.resolved.mean()) if len(chain) else 0.0
    if set(chain.sequence) <= {"X"}:
        yield Drop("unknown", str(length), "no residue of the chain is known")
    if length < settings.min_length:
        yield Drop("min_length", str(length), f"shorter than {settings.min_length} residues")
    if length > settings.max_length:
        yield Drop("max_length", str(length), f"longer than {settings.max_length} residues")
    if built.unresolved:
        yield Drop("no_coordinates", built.unresolved, UNRESOLVED[built.unresolved])
    if resolved < settings.min_resolved:
        reason = f"less than {settings.min_resolved:g} of the residues have a CA with coordinates and occupancy"
        yield Drop("min_resolved", f"{resolved:.3f}", reason)
    if settings.min_plddt is not None and confidence is not None and chain.resolved.any():
        yield from _unsure(chain.b_factor, settings.min_plddt, confidence)


def _unsure(b_factor: np.ndarray, least: float, confidence: Confidence) -> Iterator[Drop]:
    if confidence.scale is None:
        yield Drop("min_plddt", "", confidence.reason)
        return
    plddt = float(np.nanmean(b_factor))
    if not plddt >= least:
        yield Drop("min_plddt", f"{plddt:.1f}", f"mean pLDDT below {least:g}")
