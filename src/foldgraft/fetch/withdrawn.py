"""Entries that the PDB has withdrawn, and what stands in their place."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from foldgraft.fetch.client import Client, FinalError
from foldgraft.fetch.identifiers import pdb_id
from foldgraft.fetch.inputs import Item

Row = dict[str, Any]
GENERATIONS = 10  # successors of successors; the PDB has no chain nearly as long


class Withdrawal(NamedTuple):
    """When and why an entry was withdrawn, and the entries that replace it."""

    day: str
    why: str
    successors: tuple[str, ...]


def withdrawal(entry: str, client: Client, base: str) -> Withdrawal | None:
    """What the holdings service (data.rcsb.org) says of a withdrawn entry; None if it was never withdrawn.

    Raises
    ------
    PassingError, FinalError
        if the service does not answer, or not about this entry.
    """
    try:
        answer = client.ask(f"{base.rstrip('/')}/rest/v1/holdings/removed/{entry.upper()}")
    except FinalError as error:
        if error.status == 404:
            return None
        raise
    try:
        about = answer["rcsb_repository_holdings_removed"]
        names = [pdb_id(name) for name in about.get("id_codes_replaced_by") or []]
        if pdb_id(answer["rcsb_id"]) != entry or None in names:
            raise ValueError
        why = " ".join(str(about.get("details") or "no reason is given").split())[:200]
        day = str(about.get("remove_date") or "on a day unknown")[:10]
    except (ValueError, TypeError, AttributeError, KeyError):
        raise FinalError(f"what the holdings service says of {entry} cannot be understood") from None
    return Withdrawal(day, why, tuple(dict.fromkeys(name for name in names if name)))


def with_successors(items: list[Item], fetch: Callable[[list[Item]], Iterator[Row]], named: set[str]) -> Iterator[Row]:
    """The items' rows, each withdrawn entry's followed by those of its successors, theirs, and so on.

    Parameters
    ----------
    fetch : function
        the rows of items, in their order.
    named : set of str
        lower-case ids that the configuration names: they come in their own right, and no successor is taken twice.
    """
    rows: dict[str, Row] = {}
    heirs: dict[str, list[Item]] = {}
    ancestors: dict[str, tuple[str, ...]] = {item.id: () for item in items}
    taken = named | ancestors.keys()
    todo = items
    while todo:
        following: list[Item] = []
        for item, row in zip(todo, fetch(todo), strict=True):
            names, before = row.pop("successors", ()), ancestors[item.id]
            new = [name for name in names if name not in taken] if len(before) < GENERATIONS else []
            taken |= set(new)
            ancestors |= dict.fromkeys(new, (*before, item.id))
            heirs[item.id] = [Item("rcsb", name, name) for name in new]
            rows[item.id] = _explained(row, names, new, before)
            following += heirs[item.id]
        todo = following
    yield from (row for item in items for row in _family(item, rows, heirs, ancestors))


def _explained(row: Row, names: tuple[str, ...], new: list[str], before: tuple[str, ...]) -> Row:
    """The row with the decision about each successor in its reason; `before` are the entries that led to it."""
    if names and set(names) <= {*before, row["id"]}:
        return row | {"status": "rejected", "reason": f"{row['reason']}, which it replaced itself"}
    if names and len(before) >= GENERATIONS:
        reason = f"{row['reason']}; not followed further than {GENERATIONS} generations"
        return row | {"status": "rejected", "reason": reason}
    parts = [f"successor of {before[-1]}" if before else "", row["reason"] or ""]
    parts += [f"{name} comes into the run by itself" for name in names if name not in new]
    return row | {"reason": "; ".join(filter(None, parts)) or None}


def _family(
    item: Item, rows: dict[str, Row], heirs: dict[str, list[Item]], ancestors: dict[str, tuple[str, ...]]
) -> Iterator[Row]:
    yield rows[item.id]
    for heir in heirs[item.id]:
        yield from _family(heir, rows, heirs, ancestors)
