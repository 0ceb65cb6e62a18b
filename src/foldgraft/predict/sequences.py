"""What a FASTA file asks for: one candidate per record, with the reason if it cannot be predicted."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.predict.settings import PredictSettings
from foldgraft.records.fasta import raw_records
from foldgraft.records.files import checked_id

GAPS = ".-"
T = TypeVar("T")


class Candidate(NamedTuple):
    """One record: `sequence` in capitals, less a closing stop; `reason` is empty if it can be predicted."""

    id: str
    sequence: str
    reason: str


def candidates(fasta: Path, settings: PredictSettings) -> Iterator[Candidate]:
    """Yield every record of a FASTA file, fit or not, in its order.

    A record whose id cannot serve is called `record:<number>`.

    Raises
    ------
    FoldgraftError
        for a file that is not FASTA.
    """
    seen: set[str] = set()
    for number, header, text in raw_records(fasta):
        name = header.split(maxsplit=1)[0] if header.strip() else ""
        sequence = text.upper().removesuffix("*")
        try:
            checked_id(name, f"record {number}")
        except FoldgraftError as error:
            yield Candidate(f"record:{number}", sequence, str(error))
            continue
        reason = "an earlier record has the same id" if name in seen else why_not(sequence, settings)
        seen.add(name)
        yield Candidate(name, sequence, reason)


def why_not(sequence: str, settings: PredictSettings) -> str:
    """Why a sequence cannot be predicted; empty if it can."""
    wrong = alphabet.illegal(sequence) + "".join(gap for gap in GAPS if gap in sequence)
    if wrong:
        return f"no letters of a protein: {' '.join(repr(letter) for letter in wrong[:5])}"
    if len(sequence) < settings.min_length:
        return f"{len(sequence)} residues, fewer than {settings.min_length}"
    if len(sequence) > settings.max_length:
        return f"{len(sequence)} residues, more than {settings.max_length}"
    return ""


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to `size` items."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
