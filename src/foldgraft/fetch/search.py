"""The PDB's search: from a query in the configuration to a list of entry ids, the earliest released first."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError, check_services
from foldgraft.fetch.downloads import lock_row
from foldgraft.fetch.identifiers import pdb_id
from foldgraft.fetch.inputs import Item, file_items, rcsb_items
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.settings import FetchSettings, RcsbQuery, StructuresSettings
from foldgraft.records.files import sealed
from foldgraft.records.lock import write_piece

SHARD = "search"
METHODS = {"x-ray": "X-RAY DIFFRACTION", "nmr": "SOLUTION NMR", "em": "ELECTRON MICROSCOPY"}
RELEASED = "rcsb_accession_info.initial_release_date"
PAGE = 1000
BATCH = 300  # ids in one question to the data service, as its own client asks
DATES = "query($ids:[String!]!){entries(entry_ids:$ids){rcsb_id rcsb_accession_info{initial_release_date}}}"
GROUPING = ("group_by", "scoring_strategy")  # options of a raw request that decide what is found
UNKNOWN = "9999"  # the day of an entry that the data service does not know yet: it comes last


def write_search(structures: StructuresSettings, origin: Origin, out: Path, lock: Path) -> None:
    """Write the ids that the query finds, one on a line, without entries that are given by id or as files.

    The list goes into the store too, and `lock` says where; a replay gives it again.

    Raises
    ------
    FoldgraftError
        if there is no query, or the services do not answer it.
    """
    fetch = origin.settings
    if origin.earlier:
        rows = origin.earlier.rows(SHARD)
        _write(out, origin.earlier.path(rows[0]).read_text())
        write_piece(lock, SHARD, rows)
        return
    query = structures.rcsb.query
    if query is None:
        raise FoldgraftError("structures.rcsb.query: there is no query to search for")
    check_services(fetch)
    given = {item.id.lower() for item in (*rcsb_items(structures), *file_items(structures, origin.data))}
    try:
        with Client(fetch) as client:
            names = search(query, client, fetch, given)
    except (PassingError, FinalError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FoldgraftError(f"structures.rcsb.query: {fetch.services.rcsb_search} gave no answer: {error}") from None
    listing = "".join(f"{name}\n" for name in names)
    sha256, size = origin.store.add([listing.encode()])
    asked = f"{fetch.services.rcsb_search}?{urlencode({'json': json.dumps(request(query, 0, PAGE))})}"
    row = lock_row(Item("rcsb", SHARD, ""), asked, "stored", sha256=sha256, bytes=size)
    _write(out, listing)
    write_piece(lock, SHARD, [row])


def _write(out: Path, text: str) -> None:
    with sealed(out) as temporary:
        temporary.write_text(text)


def search(query: RcsbQuery, client: Client, fetch: FetchSettings, given: set[str]) -> list[str]:
    """Ids of the entries found, by day of first release and by id within a day, without those given.

    The service sorts by day alone, and nothing is known of its order within a day. So pages are read until the day of
    the last entry wanted is behind, and the entries sorted here, by the days that the data service tells. Of groups,
    all pages are read, since nothing is known of their order.
    """
    days: dict[str, str] = {}
    start, earlier = 0, []
    while True:
        asked = request(query, start, PAGE)
        answer = client.ask(fetch.services.rcsb_search, asked)
        if answer is None:  # nothing matches
            break
        page = [entry if isinstance(entry, str) else entry["identifier"] for entry in answer["result_set"]]
        if page and page == earlier:
            raise ValueError(f"the page from {start} on is the same as the one before")
        earlier = page
        names = dict.fromkeys(name for name in map(entry_of, page) if name and name not in given and name not in days)
        days |= release_days(names, client, fetch.services.rcsb_data)
        start += len(page)
        if not page or start >= answer.get("group_by_count", answer["total_count"]):
            break
        if "group_by" not in asked["request_options"] and _enough(query, days):
            break
    ordered = sorted(days, key=lambda name: (days[name], name))
    return ordered[: query.max_entries]


def _enough(query: RcsbQuery, days: dict[str, str]) -> bool:
    """Whether all entries of the day of the last one wanted have been seen."""
    known = sorted(day for day in days.values() if day != UNKNOWN)
    return len(known) > query.max_entries and known[query.max_entries - 1] < known[-1]


def entry_of(identifier: str) -> str | None:
    """The entry of an entity (4HHB_1), instance (4HHB.A), assembly (4HHB-1) or entry; None if it is of another kind."""
    whole = pdb_id(identifier)
    if whole:
        return whole
    for separator in "._-":
        head, mark, _ = identifier.rpartition(separator)
        if mark and pdb_id(head):
            return pdb_id(head)
    return None


def release_days(names: Iterable[str], client: Client, base: str) -> dict[str, str]:
    """ISO days of first release, from the data service (GraphQL, data.rcsb.org)."""
    wanted = list(names)
    days = dict.fromkeys(wanted, UNKNOWN)
    for start in range(0, len(wanted), BATCH):
        ids = [name.upper() for name in wanted[start : start + BATCH]]
        answer = client.ask(f"{base.rstrip('/')}/graphql", {"query": DATES, "variables": {"ids": ids}})
        if answer.get("errors"):
            raise ValueError(f"{base}: {str(answer['errors'])[:200]}")
        for entry in filter(None, answer["data"]["entries"]):
            name, day = pdb_id(entry["rcsb_id"]), (entry["rcsb_accession_info"] or {}).get("initial_release_date")
            if name in days and day:
                days[name] = day[:10]
    return days


def request(query: RcsbQuery, start: int, rows: int) -> dict[str, Any]:
    """The body of one page of the search (search.rcsb.org, version 2)."""
    whole = query.raw if query.raw and "query" in query.raw else {"query": query.raw}
    node = whole["query"] or {"type": "group", "logical_operator": "and", "nodes": _nodes(query)}
    per_protein = (query.min_length, query.max_length, query.organism, query.identity) != (None,) * 4
    earliest = {"sort_by": RELEASED, "direction": "asc"}
    options = {name: value for name, value in whole.get("request_options", {}).items() if name in GROUPING}
    if query.identity:
        cutoff = {"aggregation_method": "sequence_identity", "similarity_cutoff": query.identity}
        options["group_by"] = {**cutoff, "ranking_criteria_type": earliest}
    if "group_by" in options:
        options["group_by_return_type"] = "representatives"
    options |= {
        "paginate": {"start": start, "rows": rows},
        "results_content_type": ["experimental"],
        "results_verbosity": "minimal",
        "sort": [earliest],
    }
    kind = whole.get("return_type", "polymer_entity" if per_protein else "entry")
    return {"query": node, "return_type": kind, "request_options": options}


def _nodes(query: RcsbQuery) -> list[dict[str, Any]]:
    """One node for each condition. Those on length and organism are of one and the same protein, because proteins are
    what such a query returns."""
    nodes = [_node("entity_poly.rcsb_entity_polymer_type", "exact_match", "Protein")]
    if query.polymer == "protein":
        kinds = ["Protein (only)", "Protein/Oligosaccharide"]
        nodes.append(_node("rcsb_entry_info.selected_polymer_entity_types", "in", kinds))
    if query.method:
        nodes.append(_node("exptl.method", "exact_match", METHODS[query.method]))
    if query.resolution is not None:
        nodes.append(_node("rcsb_entry_info.resolution_combined", "less_or_equal", query.resolution))
    if query.released_after:
        nodes.append(_node(RELEASED, "greater_or_equal", query.released_after.isoformat()))
    if query.released_before:
        nodes.append(_node(RELEASED, "less", query.released_before.isoformat()))
    if query.min_length:
        nodes.append(_node("entity_poly.rcsb_sample_sequence_length", "greater_or_equal", query.min_length))
    if query.max_length:
        nodes.append(_node("entity_poly.rcsb_sample_sequence_length", "less_or_equal", query.max_length))
    if query.organism is not None:
        number = str(query.organism).isdigit()
        name = "taxonomy_lineage.id" if number else "ncbi_scientific_name"
        nodes.append(_node(f"rcsb_entity_source_organism.{name}", "exact_match", str(query.organism)))
    return nodes


def _node(attribute: str, operator: str, value: object) -> dict[str, Any]:
    parameters = {"attribute": attribute, "operator": operator, "value": value}
    return {"type": "terminal", "service": "text", "parameters": parameters}
