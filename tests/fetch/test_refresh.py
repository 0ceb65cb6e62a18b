"""Asking again for what was downloaded before a day, of a server that knows when its files changed."""

from datetime import UTC, datetime, timedelta

import pytest
from werkzeug import Response

from foldgraft.fetch.client import Client
from foldgraft.fetch.downloads import download
from foldgraft.fetch.inputs import Item
from foldgraft.records.lock import store_path

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date()
MODIFIED = "Wed, 01 Jan 2020 00:00:00 GMT"


@pytest.fixture
def archive(httpserver, cif):
    """A server of one entry that answers conditional requests by its ETag or date; a dictionary says how it is now."""
    now = {"body": cif("1UBQ"), "etag": '"one"', "modified": MODIFIED, "status": 200, "asked": [], "conditions": True}

    def handler(request):
        now["asked"].append((request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")))
        etag, since = now["asked"][-1]
        if now["status"] != 200:
            return Response("", status=now["status"])
        if now["conditions"] and (etag == now["etag"] if etag else since == now["modified"] and since):
            return Response(status=304)
        headers = {"ETag": now["etag"], "Last-Modified": now["modified"]}
        return Response(now["body"], headers={name: value for name, value in headers.items() if value})

    httpserver.expect_request("/download/1ubq.cif.gz").respond_with_handler(handler)
    return now


@pytest.fixture
def fetched(store, settings):
    def fetch(day=None):
        chosen = settings.model_copy(update={"refreshed_after": day})
        with Client(chosen) as client:
            return download(Item("rcsb", "1ubq", "1ubq"), client, store, chosen)

    return fetch


@pytest.mark.parametrize(
    ("etag", "modified", "sent"),
    [('"one"', MODIFIED, ('"one"', MODIFIED)), ('"one"', None, ('"one"', None)), (None, MODIFIED, (None, MODIFIED))],
)
def test_what_has_not_changed_is_not_sent_again(archive, fetched, etag, modified, sent):
    archive |= {"etag": etag, "modified": modified}
    first = fetched()
    assert fetched(TOMORROW) == first
    assert archive["asked"] == [(None, None), sent]


def test_the_same_bytes_from_a_server_without_conditions_are_the_same_row(archive, fetched):
    first = fetched()
    archive |= {"conditions": False, "etag": '"two"'}
    assert fetched(TOMORROW) == first
    assert len(archive["asked"]) == 2


def test_what_has_changed_is_taken(archive, fetched, cif, store):
    first = fetched()
    archive |= {"body": cif("1UBQ", "remediated"), "etag": '"two"', "modified": "Thu, 02 Jan 2020 00:00:00 GMT"}
    second = fetched(TOMORROW)
    assert second["sha256"] != first["sha256"]
    assert second["release"] == archive["modified"]
    assert store_path(store.root, first["sha256"]).exists()  # an older lock may still name it
    assert fetched() == second


def test_what_was_downloaded_or_confirmed_on_that_day_or_later_is_not_asked_for(archive, fetched):
    fetched()
    for day in (None, datetime.now(UTC).date() - timedelta(days=1), datetime.now(UTC).date()):
        fetched(day)
    assert len(archive["asked"]) == 1


def test_a_confirmation_counts(archive, fetched, store):
    fetched()
    long_ago = store.remembered("rcsb", "1ubq") | {"retrieved": "2001-01-01T00:00:00+00:00", "checked": "2001-01-01"}
    store.remember(long_ago)
    day = datetime.now(UTC).date()
    assert fetched(day)["retrieved"] == "2001-01-01T00:00:00+00:00"
    fetched(day)
    assert len(archive["asked"]) == 2


def test_what_cannot_be_asked_for_is_kept_and_said(archive, fetched):
    first = fetched()
    archive["status"] = 503
    again = fetched(TOMORROW)
    assert again == first | {"reason": "kept as it was, since it could not be asked for again: HTTP 503"}
    assert fetched() == first


def test_what_was_withdrawn_since_is_replaced(archive, fetched, httpserver):
    fetched()
    archive["status"] = 404
    about = {"remove_date": "2026-01-01", "id_codes_replaced_by": ["9UBQ"]}
    answer = {"rcsb_id": "1UBQ", "rcsb_repository_holdings_removed": about}
    httpserver.expect_request("/data/rest/v1/holdings/removed/1UBQ").respond_with_json(answer)
    row = fetched(TOMORROW)
    assert (row["status"], row["successors"]) == ("replaced", ("9ubq",))


@pytest.mark.parametrize(("status", "words"), [(404, "the PDB knows of no withdrawal"), (403, "could not be asked")])
def test_what_is_gone_but_not_withdrawn_is_kept_and_said(archive, fetched, httpserver, status, words):
    first = fetched()
    archive["status"] = 404
    httpserver.expect_request("/data/rest/v1/holdings/removed/1UBQ").respond_with_data("", status=status)
    again = fetched(TOMORROW)
    assert words in again.pop("reason")
    assert again.items() <= first.items()


def test_an_etag_that_cannot_be_sent_is_not(archive, fetched):
    archive["etag"] = '"\xe9"'
    first = fetched()
    assert fetched(TOMORROW) == first
    assert archive["asked"][1] == (None, MODIFIED)


def test_a_304_that_was_not_asked_for_is_a_failure(httpserver, archive, fetched):
    archive["status"] = 304
    assert fetched()["reason"] == "HTTP 304"
