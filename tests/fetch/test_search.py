"""The PDB's search, against an imitation that sorts by day only and shuffles within a day, as the service may."""

import json
from urllib.parse import parse_qs

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch import search as module
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.search import entry_of, request, write_search
from foldgraft.fetch.settings import RcsbQuery, StructuresSettings
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import read_rows

DAYS = {"4HHB": "1984-07-17", "2HHB": "1984-07-17", "3HHB": "1984-07-17", "1UBQ": "1987-04-16", "1CRN": "1981-07-28"}


@pytest.fixture
def service(httpserver):
    """Search and data service over identifiers and their days; returns the list of search requests."""

    def serve(days, identifiers=None):
        order = identifiers or sorted(days, key=lambda name: (days[name], name[::-1]))
        seen = []

        def search(asked):
            body = json.loads(asked.data)
            seen.append(body)
            start, rows = (body["request_options"]["paginate"][key] for key in ("start", "rows"))
            found = [{"identifier": name, "score": 1.0} for name in order[start : start + rows]]
            answer = {"total_count": len(order), "result_set": found}
            return Response(json.dumps(answer), content_type="application/json") if order else Response(status=204)

        def data(asked):
            ids = json.loads(asked.data)["variables"]["ids"]
            known = [
                {"rcsb_id": name, "rcsb_accession_info": {"initial_release_date": f"{days[name]}T00:00:00Z"}}
                for name in ids
                if name in days
            ]
            return Response(json.dumps({"data": {"entries": [*known, None]}}), content_type="application/json")

        httpserver.expect_request("/query", method="POST").respond_with_handler(search)
        httpserver.expect_request("/data/graphql", method="POST").respond_with_handler(data)
        return seen

    return serve


@pytest.fixture
def run(tmp_path, settings, store):
    def search(max_entries, query=None, **more):
        query = {"max_entries": max_entries} | (query or {})
        structures = StructuresSettings.model_validate({"rcsb": {"query": query} | more})
        write_search(structures, Origin(tmp_path, store, settings), tmp_path / "ids.txt", tmp_path / "lock.parquet")
        return (tmp_path / "ids.txt").read_text().split()

    return search


def test_entries_come_by_day_and_by_id_within_a_day_without_those_given(service, run):
    service(DAYS)
    assert run(9, ids=["1ubq"]) == ["1crn", "2hhb", "3hhb", "4hhb"]


@pytest.mark.parametrize("most", range(1, 6))
def test_more_entries_append_whatever_the_order_within_a_day(service, run, monkeypatch, most):
    monkeypatch.setattr(module, "PAGE", 2)
    service(DAYS)
    assert run(most) == ["1crn", "2hhb", "3hhb", "4hhb", "1ubq"][:most]


def test_pages_end_when_the_day_of_the_last_entry_wanted_is_behind(service, run, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    seen = service({f"{k}ABC": f"200{k}-01-01" for k in range(1, 10)})
    assert run(3) == ["1abc", "2abc", "3abc"]
    assert [body["request_options"]["paginate"]["start"] for body in seen] == [0, 2]


def test_the_list_is_stored_and_locked_and_replayed_without_a_network(service, run, store, tmp_path, settings):
    service(DAYS)
    run(9)
    (row,) = read_rows(tmp_path / "lock.parquet", SCHEMA)
    assert (row["shard"], row["id"], row["status"]) == ("search", "search", "stored")
    base, _, asked = row["url"].partition("?")
    assert base == settings.services.rcsb_search
    assert json.loads(parse_qs(asked)["json"][0]) == request(RcsbQuery(max_entries=9), 0, module.PAGE)
    assert store_path(store.root, row["sha256"]).read_bytes() == (tmp_path / "ids.txt").read_bytes()
    structures = StructuresSettings.model_validate({"rcsb": {"query": {"max_entries": 9}}})
    nowhere = settings.model_copy(update={"services": None})
    again = (tmp_path / "again.txt", tmp_path / "again.parquet")
    write_search(structures, Origin(tmp_path, store, nowhere, tmp_path / "lock.parquet"), *again)
    assert again[0].read_bytes() == (tmp_path / "ids.txt").read_bytes()
    assert list(read_rows(again[1], SCHEMA)) == [row]


def test_nothing_found_is_an_empty_list(service, run):
    service({})
    assert run(3) == []


def test_an_entry_unknown_to_the_data_service_comes_last(service, run):
    service(DAYS, ["9NEW", *DAYS])
    assert run(9)[-1] == "9new"


def test_representatives_are_entities_of_which_all_pages_are_read(service, run, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    seen = service(DAYS, ["4HHB_1", "4HHB_2", "1UBQ_1", "1CRN_1", "2HHB_1"])
    assert run(1, {"identity": 30}) == ["1crn"]
    assert len(seen) == 3
    assert seen[0]["return_type"] == "polymer_entity"
    options = seen[0]["request_options"]
    assert options["group_by_return_type"] == "representatives"
    assert (options["group_by"]["aggregation_method"], options["group_by"]["similarity_cutoff"]) == (
        "sequence_identity",
        30,
    )


def test_a_service_with_smaller_pages_loses_no_entries(service, run, monkeypatch):
    service(DAYS)
    asked = module.request
    monkeypatch.setattr(module, "request", lambda query, start, rows: asked(query, start, min(rows, 2)))
    assert run(9) == ["1crn", "2hhb", "3hhb", "4hhb", "1ubq"]


def test_a_service_that_sends_the_same_page_for_ever_is_an_error(httpserver, service, run):
    page = {"total_count": 10**12, "result_set": ["4HHB", "1UBQ"]}
    httpserver.expect_request("/query", method="POST").respond_with_json(page)
    service(DAYS)
    with pytest.raises(FoldgraftError, match="the page from 2 on is the same as the one before"):
        run(9)


def test_a_refused_query_is_an_error(httpserver, run):
    httpserver.expect_request("/query").respond_with_json({"status": 400}, status=400)
    with pytest.raises(FoldgraftError, match=r"structures\.rcsb\.query: .* gave no answer: HTTP 400"):
        run(3)


@pytest.mark.parametrize("answer", [["what"], {"total_count": 1}, {"total_count": 1, "result_set": [None]}])
def test_an_answer_of_another_shape_is_an_error(httpserver, run, answer):
    httpserver.expect_request("/query").respond_with_json(answer)
    with pytest.raises(FoldgraftError, match="gave no answer"):
        run(3)


def test_an_error_inside_the_data_service_is_an_error(service, httpserver, run):
    httpserver.expect_request("/data/graphql").respond_with_json({"errors": [{"message": "busy"}]})
    service(DAYS)
    with pytest.raises(FoldgraftError, match="busy"):
        run(3)


@pytest.mark.parametrize(
    ("identifier", "entry"),
    [
        *((name, "4hhb") for name in ("4HHB", "4HHB_1", "4HHB.A", "4HHB-1", "pdb_00004hhb_1")),
        ("pdb_1000abcd_2", "pdb_1000abcd"),
        ("AF_AFP69905F1", None),
        ("", None),
    ],
)
def test_identifiers_of_any_level_are_of_an_entry(identifier, entry):
    assert entry_of(identifier) == entry


def test_the_request_asks_what_the_configuration_asks():
    query = RcsbQuery.model_validate(
        {
            "resolution": 2.5,
            "method": "x-ray",
            "released_before": "2020-01-01",
            "released_after": "2010-01-01",
            "polymer": "protein",
            "min_length": 40,
            "max_length": 500,
            "organism": "Homo sapiens",
            "max_entries": 9,
        }
    )
    body = request(query, 0, 100)
    asked = {
        (n["parameters"]["attribute"], n["parameters"]["operator"]): n["parameters"]["value"]
        for n in body["query"]["nodes"]
    }
    assert asked == {
        ("entity_poly.rcsb_entity_polymer_type", "exact_match"): "Protein",
        ("rcsb_entry_info.selected_polymer_entity_types", "in"): ["Protein (only)", "Protein/Oligosaccharide"],
        ("exptl.method", "exact_match"): "X-RAY DIFFRACTION",
        ("rcsb_entry_info.resolution_combined", "less_or_equal"): 2.5,
        ("rcsb_accession_info.initial_release_date", "less"): "2020-01-01",
        ("rcsb_accession_info.initial_release_date", "greater_or_equal"): "2010-01-01",
        ("entity_poly.rcsb_sample_sequence_length", "greater_or_equal"): 40,
        ("entity_poly.rcsb_sample_sequence_length", "less_or_equal"): 500,
        ("rcsb_entity_source_organism.ncbi_scientific_name", "exact_match"): "Homo sapiens",
    }
    assert body["return_type"] == "polymer_entity"
    assert body["request_options"]["sort"] == [{"sort_by": module.RELEASED, "direction": "asc"}]
    assert request(RcsbQuery(max_entries=1, resolution=2), 0, 1)["return_type"] == "entry"


def test_an_organism_may_be_a_taxonomy_id():
    node = request(RcsbQuery(max_entries=1, organism=9606), 0, 1)["query"]["nodes"][-1]["parameters"]
    assert (node["attribute"], node["value"]) == ("rcsb_entity_source_organism.taxonomy_lineage.id", "9606")


NODE = {"type": "terminal", "service": "full_text", "parameters": {"value": "thymidine kinase"}}
GROUP = {"type": "group", "logical_operator": "or", "nodes": [NODE, NODE]}


@pytest.mark.parametrize("node", [NODE, GROUP])
def test_a_raw_query_is_sent_with_our_paging_and_order(node):
    options = {"paginate": {"start": 7, "rows": 1}, "sort": [], "return_counts": True, "group_by": {"x": 1}}
    whole = {"query": node, "return_type": "assembly", "request_options": options}
    for raw, kind in ((node, "entry"), (whole, "assembly")):
        body = request(RcsbQuery(max_entries=5, raw=raw), 20, 10)
        assert (body["query"], body["return_type"]) == (node, kind)
        asked = body["request_options"]
        assert asked["paginate"] == {"start": 20, "rows": 10}
        assert asked["sort"][0]["sort_by"] == module.RELEASED
        assert "return_counts" not in asked and ("group_by" in asked) == (raw is whole)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"raw": {}}, "raw.type: None is neither"),
        ({"raw": {"type": "terminal", "service": "txet"}}, "raw.service: 'txet' is none of text"),
        ({"raw": {"type": "group", "nodes": [NODE]}}, "raw.logical_operator: None is neither 'and' nor 'or'"),
        ({"raw": GROUP | {"nodes": []}}, "raw.nodes: a group needs a list of nodes"),
        ({"raw": {"query": GROUP | {"nodes": [NODE, 3]}}}, "raw.query.nodes.1.type: None is neither"),
        ({"raw": {"query": NODE, "return_type": "mol_definition"}}, "raw.return_type: 'mol_definition' is none of"),
        ({"raw": {"query": NODE, "rows": 3}}, "raw.rows: a request has query"),
        ({"raw": NODE, "resolution": 2.0}, "raw: it stands alone; put resolution into it"),
        ({"min_length": 9, "max_length": 8}, "min_length: 9 is more than max_length, 8"),
        ({"identity": 40}, "identity"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query, words):
    with pytest.raises(ValueError) as error:
        RcsbQuery.model_validate({"max_entries": 5} | query)
    assert words in str(error.value)


def test_a_raw_query_survives_its_way_through_json():
    query = RcsbQuery(max_entries=5, raw=GROUP)
    assert RcsbQuery.model_validate_json(query.model_dump_json()) == query
