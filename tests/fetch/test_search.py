"""The PDB's search."""

import json

import pytest
from werkzeug import Response

from foldgraft.errors import FoldgraftError
from foldgraft.fetch import search as module
from foldgraft.fetch.search import request, write_search
from foldgraft.fetch.settings import RcsbQuery, StructuresSettings


def pages(httpserver, ids):
    """A server that answers as the search does; returns the bodies it was sent."""
    seen = []

    def handler(asked):
        body = json.loads(asked.data)
        seen.append(body)
        start, rows = (body["request_options"]["paginate"][key] for key in ("start", "rows"))
        found = [{"identifier": name, "score": 1.0} for name in ids[start : start + rows]]
        if not ids:
            return Response(status=204)
        return Response(json.dumps({"total_count": len(ids), "result_set": found}), content_type="application/json")

    httpserver.expect_request("/query", method="POST").respond_with_handler(handler)
    return seen


def run(tmp_path, settings, max_entries, **more):
    structures = StructuresSettings.model_validate({"rcsb": {"query": {"max_entries": max_entries}} | more})
    write_search(structures, tmp_path, tmp_path / "ids.txt", settings)
    return (tmp_path / "ids.txt").read_text().split()


def test_ids_are_those_found_without_those_given(httpserver, tmp_path, settings):
    pages(httpserver, ["1UBQ", "4HHB", "1CRN"])
    assert run(tmp_path, settings, 5, ids=["4hhb"]) == ["1ubq", "1crn"]


def test_pages_are_read_until_there_are_enough(httpserver, tmp_path, settings, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    seen = pages(httpserver, [f"{k}ABC" for k in range(1, 10)])
    assert run(tmp_path, settings, 3) == ["1abc", "2abc", "3abc"]
    assert [body["request_options"]["paginate"]["start"] for body in seen] == [0, 2]


def test_nothing_found_is_an_empty_list(httpserver, tmp_path, settings):
    pages(httpserver, [])
    assert run(tmp_path, settings, 3) == []


def test_a_refused_query_is_an_error(httpserver, tmp_path, settings):
    httpserver.expect_request("/query").respond_with_json({"status": 400}, status=400)
    with pytest.raises(FoldgraftError, match=r"structures\.rcsb\.query: .* gave no answer: HTTP 400"):
        run(tmp_path, settings, 3)


def test_an_answer_of_another_shape_is_an_error(httpserver, tmp_path, settings):
    httpserver.expect_request("/query").respond_with_json(["what"])
    with pytest.raises(FoldgraftError, match="gave no answer"):
        run(tmp_path, settings, 3)


def test_the_request_asks_what_the_configuration_asks():
    query = RcsbQuery.model_validate(
        {
            "resolution": 2.5,
            "method": "x-ray",
            "released_before": "2020-01-01",
            "released_after": "2010-01-01",
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
        ("exptl.method", "exact_match"): "X-RAY DIFFRACTION",
        ("rcsb_entry_info.resolution_combined", "less_or_equal"): 2.5,
        ("rcsb_accession_info.initial_release_date", "less"): "2020-01-01",
        ("rcsb_accession_info.initial_release_date", "greater_or_equal"): "2010-01-01",
    }
    assert body["request_options"]["sort"][0]["direction"] == "asc"
