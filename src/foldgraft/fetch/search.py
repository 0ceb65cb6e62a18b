"""The PDB's search: from a query in the configuration to a list of entry ids."""

from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError, check_services
from foldgraft.fetch.identifiers import pdb_id
from foldgraft.fetch.inputs import file_items, rcsb_items
from foldgraft.fetch.settings import FetchSettings, RcsbQuery, StructuresSettings
from foldgraft.records.files import atomic

METHODS = {"x-ray": "X-RAY DIFFRACTION", "nmr": "SOLUTION NMR", "em": "ELECTRON MICROSCOPY"}
RELEASED = "rcsb_accession_info.initial_release_date"
PAGE = 1000


def write_search(structures: StructuresSettings, data: Path, out: Path, fetch: FetchSettings) -> None:
    """Write the ids that the query finds, one on a line, without entries that are given by id or as files.

    Raises
    ------
    FoldgraftError
        if there is no query, or the service does not answer it.
    """
    query = structures.rcsb.query
    if query is None:
        raise FoldgraftError("structures.rcsb.query: there is no query to search for")
    check_services(fetch)
    given = {item.id.lower() for item in (*rcsb_items(structures), *file_items(structures, data))}
    try:
        with Client(fetch) as client:
            names = search(query, client, fetch.services.rcsb_search, given)
    except (PassingError, FinalError, ValueError, KeyError, TypeError) as error:
        raise FoldgraftError(f"structures.rcsb.query: {fetch.services.rcsb_search} gave no answer: {error}") from None
    with atomic(out) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names))


def search(query: RcsbQuery, client: Client, url: str, given: set[str]) -> list[str]:
    """Ids of the entries found, the earliest released first, page by page until there are enough."""
    names: list[str] = []
    start = 0
    while len(names) < query.max_entries:
        answer = client.post(url, json=request(query, start, PAGE))
        if answer.status_code == 204:  # nothing matches
            break
        found = answer.json()
        page = [entry if isinstance(entry, str) else entry["identifier"] for entry in found["result_set"]]
        names += [name for name in map(pdb_id, page) if name and name not in given]
        start += PAGE
        if start >= found["total_count"] or not page:
            break
    return list(dict.fromkeys(names))[: query.max_entries]


def request(query: RcsbQuery, start: int, rows: int) -> dict[str, Any]:
    """The body of one page of the search (search.rcsb.org, version 2)."""
    nodes = [_node("entity_poly.rcsb_entity_polymer_type", "exact_match", "Protein")]
    if query.method:
        nodes.append(_node("exptl.method", "exact_match", METHODS[query.method]))
    if query.resolution is not None:
        nodes.append(_node("rcsb_entry_info.resolution_combined", "less_or_equal", query.resolution))
    if query.released_after:
        nodes.append(_node(RELEASED, "greater_or_equal", query.released_after.isoformat()))
    if query.released_before:
        nodes.append(_node(RELEASED, "less", query.released_before.isoformat()))
    return {
        "query": {"type": "group", "logical_operator": "and", "nodes": nodes},
        "return_type": "entry",
        "request_options": {
            "paginate": {"start": start, "rows": rows},
            "results_content_type": ["experimental"],
            "results_verbosity": "minimal",
            "sort": [{"sort_by": RELEASED, "direction": "asc"}],
        },
    }


def _node(attribute: str, operator: str, value: object) -> dict[str, Any]:
    parameters = {"attribute": attribute, "operator": operator, "value": value}
    return {"type": "terminal", "service": "text", "parameters": parameters}
