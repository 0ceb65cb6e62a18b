"""UniProt's REST service on loopback, with the manners of the real one: paging, redirects, inactive entries, errors.

After uniprot.org/help/api_queries, help/rest-api-headers and help/deleted_accessions. It can be told to misbehave.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

RELEASE = {"X-UniProt-Release": "2026_02", "X-UniProt-Release-Date": "10-June-2026"}
ACCESSION = re.compile(r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9]([A-Z][A-Z0-9]{2}[0-9]){1,2})(-[0-9]+)?")
BUSY = "Too Many Requests: We are currently experiencing a lot of API requests."


def active(name: str, sequence: str, entry_name: str | None = None, version: int = 7) -> dict[str, Any]:
    """An entry in use."""
    return {
        "entryType": "UniProtKB reviewed (Swiss-Prot)",
        "primaryAccession": name,
        "uniProtkbId": entry_name or f"{name}_HUMAN",
        "entryAudit": {"entryVersion": version, "sequenceVersion": 1},
        "organism": {"scientificName": "Homo sapiens", "taxonId": 9606},
        "sequence": {
            "value": sequence,
            "length": len(sequence),
            "md5": hashlib.md5(sequence.encode()).hexdigest().upper(),
        },
    }


def inactive(name: str, kind: str, *successors: str, why: str | None = None) -> dict[str, Any]:
    """An entry that was MERGED, DEMERGED or DELETED."""
    reason: dict[str, Any] = {"inactiveReasonType": kind}
    reason |= {"mergeDemergeTo": list(successors)} if successors else {}
    reason |= {"deletedReason": why} if why else {}
    return {
        "entryType": "Inactive",
        "primaryAccession": name,
        "uniProtkbId": f"{name}_HUMAN",
        "annotationScore": 0.0,
        "inactiveReason": reason,
        "extraAttributes": {"uniParcId": "UPI000012A072"},
    }


class UniprotService:
    """The service below `/uniprotkb` of a test server; `asked` lists the paths and cursors that were asked for."""

    def __init__(self, server: Any, *entries: dict[str, Any]):
        self.entries = {entry["primaryAccession"]: entry for entry in entries}
        self.release = dict(RELEASE)
        self.most = 500  # results on a page; smaller, it makes paging cheap
        self.total_error = 0  # added to X-Total-Results
        self.interrupted: dict[str, list[Response]] = {}  # by path below /uniprotkb: answers given first, one each
        self.spoilt: dict[str, int] = {}  # accession: how many answers have another checksum
        self.link: Callable[[str], str] = lambda url: url
        self.asked: list[str] = []
        self._server = server
        server.expect_request(re.compile("/uniprotkb/.*")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/uniprotkb/")
        self.asked.append(path + (f" {request.args['cursor']}" if "cursor" in request.args else ""))
        if self.interrupted.get(path):
            return self.interrupted[path].pop(0)
        if path == "search":
            return self._search(request)
        return self._accessions(request) if path == "accessions" else self._entry(path, request)

    def _search(self, request: Request) -> Response:
        if not request.args.get("query"):
            return self._error(request, "'query' is a required parameter")
        living = [entry for _, entry in sorted(self.entries.items()) if entry["entryType"] != "Inactive"]
        return self._results(request, living)

    def _accessions(self, request: Request) -> Response:
        names = request.args["accessions"].split(",")
        if len(names) > 1000 or not all(map(ACCESSION.fullmatch, names)):
            return self._error(request, "Only '1000' accessions of a valid format are allowed.")
        found = [self.entries[name] for name in names if name in self.entries]
        return self._results(request, [entry for entry in found if entry["entryType"] != "Inactive"])

    def _results(self, request: Request, entries: list[dict[str, Any]]) -> Response:
        size = int(request.args.get("size", 25))
        if size > 500:
            return self._error(request, "'size' must be less than or equal to 500")
        start, size = int(request.args.get("cursor", 0)), min(size, self.most)
        headers = {**self.release, "X-Total-Results": str(len(entries) + self.total_error)}
        if start + size < len(entries):
            rest = "&".join(f"{key}={value}" for key, value in request.args.items() if key != "cursor")
            following = self._server.url_for(request.path) + f"?{rest}&cursor={start + size}".replace(" ", "%20")
            headers["Link"] = f'<{self.link(following)}>; rel="next"'
        return self._json({"results": [self._shown(e) for e in entries[start : start + size]]}, headers)

    def _entry(self, path: str, request: Request) -> Response:
        name, _, form = path.partition(".")
        named = next((key for key, entry in self.entries.items() if entry["uniProtkbId"] == name), None)
        secondary = next((k for k, e in self.entries.items() if name in e.get("secondaryAccessions", [])), None)
        if named or secondary:
            return Response("", 303, headers={"Location": f"/uniprotkb/{named or secondary}?from={name}"})
        if not ACCESSION.fullmatch(name):
            return self._error(request, "The 'accession' value has invalid format.")
        if name not in self.entries:
            return self._error(request, "Resource not found", 404)
        entry = self.entries[name]
        if form == "fasta":
            value = entry.get("sequence", {}).get("value")
            return Response(f">sp|{name}|{entry['uniProtkbId']}\n{value}\n" if value else "", headers=self.release)
        successors = entry.get("inactiveReason", {}).get("mergeDemergeTo", [])
        if successors and entry["inactiveReason"]["inactiveReasonType"] == "MERGED":
            return self._json(entry, {"Location": f"/uniprotkb/{successors[0]}?from={name}"}, 303)
        return self._json(self._shown(entry), self.release)

    def _shown(self, entry: dict[str, Any]) -> dict[str, Any]:
        name = entry["primaryAccession"]
        if self.spoilt.get(name, 0) == 0:
            return entry
        self.spoilt[name] -= 1
        return {**entry, "sequence": {**entry["sequence"], "md5": "0" * 32}}

    def _error(self, request: Request, message: str, status: int = 400) -> Response:
        return self._json({"url": request.url, "messages": [message]}, self.release, status)

    def _json(self, value: Any, headers: dict[str, str], status: int = 200) -> Response:
        answer = Response(status=status, headers=headers, content_type="application/json")
        answer.set_data(json.dumps(value))
        return answer
