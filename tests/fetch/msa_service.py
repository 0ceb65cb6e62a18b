"""ColabFold's MSA server on loopback: tickets, their states, and results as tar.gz.

After the routes of MMseqs2-App and the client of ColabFold. It can be told to misbehave.
"""

import base64
import hashlib
import io
import json
import re
import tarfile
from typing import Any

from werkzeug import Request, Response

ENVIRONMENT = "bfd.mgnify30.metaeuk30.smag30.a3m"


def archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class MsaService:
    """The server below the root of a test server.

    Attributes
    ----------
    homologs : dict
        by query, the rows of the alignment in UniRef and in the environmental sequences.
    states : list
        given first, one for each question about a ticket; then COMPLETE.
    refusals : list of Response
        given first, one for each submission.
    asked : list of str
        `submit SEQUENCE`, `ask` and `download`, in order.
    agents : set of str
        of all requests.
    """

    def __init__(self, server: Any, homologs: dict[str, tuple[list[str], list[str]]]):
        self.homologs = homologs
        self.states: list[str] = []
        self.refusals: list[Response] = []
        self.results: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self._tickets: dict[str, str] = {}
        server.expect_request("/ticket/msa", method="POST").respond_with_handler(self._submit)
        server.expect_request(re.compile("/ticket/[^/]+"), method="GET").respond_with_handler(self._ask)
        server.expect_request(re.compile("/result/download/.*")).respond_with_handler(self._download)

    def _submit(self, request: Request) -> Response:
        self.agents.add(request.headers["User-Agent"])
        header, sequence, *rest = request.form["q"].split("\n")
        assert header == ">101" and rest == [""] and request.form["mode"] == "env"
        self.asked.append(f"submit {sequence}")
        if self.refusals:
            return self.refusals.pop(0)
        digest = hashlib.sha224(f"{sequence}env".encode()).digest()
        ticket = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self._tickets[ticket] = sequence
        return self._state(ticket)

    def _ask(self, request: Request) -> Response:
        self.asked.append("ask")
        ticket = request.path.rpartition("/")[2]
        return self._state(ticket) if ticket in self._tickets else answer("UNKNOWN", ticket)

    def _state(self, ticket: str) -> Response:
        return answer(self.states.pop(0) if self.states else "COMPLETE", ticket)

    def _download(self, request: Request) -> Response:
        self.asked.append("download")
        sequence = self._tickets[request.path.rpartition("/")[2]]
        if sequence not in self.results:
            uniref, environment = (
                "".join(f">{number}\n{row}\n" for number, row in enumerate([sequence, *rows], start=101))
                for rows in self.homologs[sequence]
            )
            files = {"uniref.a3m": uniref, ENVIRONMENT: environment, "pdb70.m8": "", "msa.sh": "rm -rf /"}
            self.results[sequence] = archive({name: f"{text}\0".encode() for name, text in files.items()})
        return Response(self.results[sequence], content_type="application/octet-stream")


def answer(state: str, ticket: str = "", status: int = 200) -> Response:
    """What the server says of a ticket."""
    content = {"id": ticket, "status": state} if ticket else {"status": state, "reason": "too many requests"}
    return Response(json.dumps(content), status, content_type="application/json")
