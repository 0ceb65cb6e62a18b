"""UniProtKB's service, imitated: pages, redirects, checksums, and what a broken answer leads to."""

import json
from urllib.parse import urlsplit

import httpx
import pytest
from Bio.SeqUtils.CheckSum import crc64 as biopython_crc64
from services import BUSY, UniprotService, active, inactive
from werkzeug import Response

from foldgraft.fetch.client import Client, FinalError, PassingError
from foldgraft.fetch.uniprot import Entry, Uniprot, checksum_fault, crc64, parse

P53, HBA, INS = active("P04637", "MEEPQSD", "P53_HUMAN"), active("P69905", "MVLSPADK"), active("P01308", "MALWMRL")


@pytest.fixture
def service(httpserver):
    return UniprotService(httpserver, P53, HBA, INS)


@pytest.fixture
def uniprot(settings, store):
    with Client(settings) as client:
        yield Uniprot(settings.services.uniprot, client, store)


def found(pages):
    return [[entry.accession for entry in page.entries] for page in pages]


def test_a_query_follows_the_cursor_to_the_last_page(service, uniprot, store):
    service.most = 2
    pages = list(uniprot.query("reviewed:true AND organism_id:9606"))
    assert found(pages) == [["P01308", "P04637"], ["P69905"]]
    assert service.asked == ["search", "search 2"]
    assert all(store.holds(page.sha256) for page in pages)
    assert pages[0].release == "2026_02, 10-June-2026"
    assert pages[0].entries[1] == Entry("P04637", "MEEPQSD", "7")


def test_the_stored_bytes_are_those_that_arrived(service, uniprot, store, settings):
    page = uniprot.batch(["P04637"])
    path = store.root / page.sha256[:2] / page.sha256
    assert path.read_bytes() == httpx.get(page.url).content
    assert path.stat().st_size == page.bytes


def test_a_batch_holds_what_is_in_use(service, uniprot):
    service.entries["P00001"] = inactive("P00001", "DEMERGED", "P99999", "P99998")
    assert found([uniprot.batch(["P69905", "P00001", "Q99999", "P04637"])]) == [["P69905", "P04637"]]


def test_an_entry_name_and_an_accession_given_up_are_followed(service, uniprot):
    service.entries["P04637"] = {**P53, "secondaryAccessions": ["Q15086"]}
    by_name, _ = uniprot.entry("P53_HUMAN")
    secondary, _ = uniprot.entry("Q15086")
    assert by_name == Entry("P53_HUMAN", withdrawn="now P04637", successors=("P04637",))
    assert secondary == Entry("Q15086", withdrawn="now P04637", successors=("P04637",))


def test_inactive_entries_say_what_became_of_them(service, uniprot, httpserver):
    service.entries |= {
        "P00001": inactive("P00001", "DEMERGED", "P99999", "P99998"),
        "Q15086": inactive("Q15086", "MERGED", "P04637"),
        "A0A008APQ8": inactive("A0A008APQ8", "DELETED", why="Redundant proteome"),
    }
    assert uniprot.entry("P00001")[0].successors == ("P99999", "P99998")
    assert uniprot.entry("P00001")[0].withdrawn == "demerged into P99999, P99998"
    assert uniprot.entry("Q15086")[0].successors == ("P04637",)
    deleted, _ = uniprot.entry("A0A008APQ8")
    assert not deleted.successors
    assert deleted.withdrawn == "deleted (Redundant proteome) by UniProtKB; its sequence is UniParc UPI000012A072"
    assert httpx.get(httpserver.url_for("/uniprotkb/P00001.fasta")).content == b""  # why FASTA is not what is asked for


def test_an_answer_with_other_than_one_entry_is_none(service, uniprot):
    service.interrupted["P04637.json"] = [Response('{"results": []}')]
    with pytest.raises(FinalError, match="0 entries instead of one"):
        uniprot.entry("P04637")


@pytest.mark.parametrize(("name", "status"), [("Q99999", 404), ("NONSENSE", 400)])
def test_an_entry_that_does_not_exist_fails_at_once(service, uniprot, name, status):
    with pytest.raises(FinalError, match=f"HTTP {status}"):
        uniprot.entry(name)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Response(BUSY, status=429),
        Response(BUSY, status=429, headers={"Retry-After": "0"}),
        Response("<html>Service Unavailable</html>", status=503, content_type="text/html"),
        Response("<html>maintenance</html>", status=200, content_type="text/html"),
        Response(json.dumps({"results": [P53, HBA]})[:-40], headers={"X-Total-Results": "3"}),
        Response(json.dumps({"results": [{**P53, "sequence": {"value": "MEEPQSD", "md5": "0" * 32}}]})),
        Response(json.dumps({"results": [{**P53, "sequence": {"value": "MEEPQSD"}}]})),
        Response(json.dumps({"results": 5})),
        Response("[" * 100000),
    ],
    ids=["429", "429-retry-after", "503", "html", "cut", "md5", "no checksum", "no list", "deep"],
)
def test_a_passing_trouble_is_retried(service, uniprot, store, trouble):
    service.interrupted["search"] = [trouble]
    assert found(uniprot.query("x")) == [["P01308", "P04637", "P69905"]]
    assert len(service.asked) == 2
    kept = [path for path in store.root.rglob("*") if path.is_file()]
    assert len(kept) == 1  # and nothing of the bad answer


def test_a_checksum_that_stays_wrong_is_an_error_for_a_query(service, uniprot):
    service.spoilt["P04637"] = 99
    with pytest.raises(PassingError, match="P04637: the sequence does not have the md5 stated beside it"):
        list(uniprot.query("x"))
    assert len(service.asked) == 3


@pytest.mark.parametrize("error", [1, -1])
def test_another_number_of_results_than_stated_is_an_error(service, uniprot, error):
    service.most, service.total_error = 2, error
    with pytest.raises(FinalError, match=f"states {3 + error} results and sent"):
        list(uniprot.query("x"))


def test_an_answer_without_the_number_of_results_is_an_error(service, uniprot):
    service.interrupted["search"] = [Response(json.dumps({"results": [P53]}))]
    with pytest.raises(FinalError, match="X-Total-Results"):
        list(uniprot.query("x"))


def test_a_link_in_a_circle_ends(service, uniprot):
    service.most = 2
    service.link = lambda url: url.replace("cursor=2", "cursor=0")
    with pytest.raises(FinalError, match="states 3 results and sent 4"):
        list(uniprot.query("x"))


def test_a_page_with_a_link_and_nothing_else_ends(service, uniprot):
    headers = {"X-Total-Results": "3", "Link": '<search?query=x&cursor=0>; rel="next"'}
    service.interrupted["search"] = [Response('{"results": []}', headers=headers)]
    with pytest.raises(FinalError, match="states 3 results and sent 0"):
        list(uniprot.query("x"))


def test_a_relative_link_is_followed(service, uniprot):
    service.most = 2
    service.link = lambda url: urlsplit(url)._replace(scheme="", netloc="").geturl()
    assert found(uniprot.query("x")) == [["P01308", "P04637"], ["P69905"]]


@pytest.mark.parametrize("place", ["http://127.0.0.1", "http://rest.uniprot.org", "ftp://localhost", "file://"])
def test_a_link_that_leads_away_is_not_followed(service, uniprot, place):
    scheme, host = place.split("://")
    service.most = 2
    service.link = lambda url: urlsplit(url)._replace(scheme=scheme, netloc=host).geturl()
    with pytest.raises(FinalError, match="neither https nor on the host"):
        list(uniprot.query("x"))
    assert service.asked == ["search"]


def test_a_merged_entry_that_is_shown_rather_than_redirected():
    (entry,) = parse(json.dumps(inactive("Q15086", "MERGED", "P04637")).encode())
    assert entry == Entry("Q15086", withdrawn="merged into P04637", successors=("P04637",))


def test_crc64_is_that_of_other_programs():
    assert crc64("ACGTACGTACGT") == "C4FBB762C4A87EBD"  # the example of Biopython's documentation
    for sequence in ("", "M", "MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHF"):
        assert f"CRC-{crc64(sequence)}" == biopython_crc64(sequence)


def test_crc64_counts_where_no_md5_is_given():
    assert checksum_fault("ACGTACGTACGT", {"crc64": "C4FBB762C4A87EBD"}) == ""
    assert "crc64" in checksum_fault("ACGTACGTACGA", {"crc64": "C4FBB762C4A87EBD"})


def test_a_sequence_with_other_than_residues_is_not_believed():
    (entry,) = parse(json.dumps(active("P04637", "ME1EP")).encode())
    assert entry.sequence == ""
    assert "'1'" in entry.fault


@pytest.mark.real
def test_a_real_entry(real_data):
    content = (real_data / "api_samples/uniprotkb_entry_P43403.json").read_bytes()
    stated = json.loads(content)["sequence"]
    assert crc64(stated["value"]) == stated["crc64"]
    assert checksum_fault(stated["value"], {"crc64": stated["crc64"]}) == ""
    fasta = (real_data / "api_samples/uniprotkb_entry_P43403.fasta").read_text()
    assert parse(content) == [Entry("P43403", "".join(fasta.splitlines()[1:]), "255")]
