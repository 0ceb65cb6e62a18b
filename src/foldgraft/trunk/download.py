"""Download of published checkpoints; what an interrupted one has brought is taken up again by the next."""

import fcntl
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records.files import file_sha256
from foldgraft.trunk.settings import PUBLISHED

PINNED = {
    "esm2_t6_8M_UR50D.pt": "46f002a9870c9bdecd0ea887acb1f9a38a6b561e8f8bf8a6990b679b9d31b928",
    "esm2_t6_8M_UR50D-contact-regression.pt": "8f7a4557d57713b97ba0e484303007efb7230d25299c0ac47a0a1b12a87bbb9d",
}
"""sha256 of the files where it is known from two public sources."""

REGRESSIONLESS = "esm1v"
"""How the names of the models begin that have no contact regression."""
CHUNK = 2**20
REGRESSION_BYTES = 2**20
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
SHA256_TAG = re.compile(r'"?([0-9a-f]{64})"?')
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
ATTEMPTS = 4


class InterruptedDownloadError(Exception):
    """Something that may go better the next time."""


class NotFoundError(httpx.HTTPError):
    """The server has no such file."""


class AbsentError(FoldgraftError):
    """A file that a server does not have."""


TROUBLE = (InterruptedDownloadError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError)
"""What a download may end with; the last two come of proxies of a kind that httpx does not know."""


def download(name: str, folder: Path, base: str) -> tuple[Path, Path | None]:
    """The checkpoint and the contact regression of a model; what is in the folder already is not fetched again.

    Parameters
    ----------
    name : str
        of the model, one of `PUBLISHED`.
    folder : Path
        where the files are kept under fair-esm's own names, to be shared by all runs. Processes that want the same
        file wait for the one that is fetching it.
    base : str
        address below which fair-esm's folders `models` and `regression` stand.

    Returns
    -------
    The two files; ESM-1v has no contact regression.

    Raises
    ------
    FoldgraftError
        if a file cannot be had, saying which to put where by hand, or if it is not the published one.
    """
    wanted = [(f"{name}.pt", f"{base.rstrip('/')}/models/{name}.pt", PUBLISHED[name])]
    if not name.startswith(REGRESSIONLESS):
        file = f"{name}-contact-regression.pt"
        wanted.append((file, f"{base.rstrip('/')}/regression/{file}", REGRESSION_BYTES))
    by_hand = (
        f"where there is a network, fetch {' and '.join(url for _, url, _ in wanted)}, put "
        f"{'the files' if len(wanted) > 1 else 'the file'} into {folder.resolve()} under their names, and run again"
    )
    for file, url, limit in wanted:
        bring(folder / file, url, limit, by_hand)
    files = [folder / file for file, _, _ in wanted]
    return files[0], files[1] if len(files) > 1 else None


def bring(path: Path, url: str, limit: int, by_hand: str) -> None:
    """Download one file, unless it is there.

    Parameters
    ----------
    limit : int
        the most bytes that it may have.
    by_hand : str
        what a user can do where it cannot be had, for the message.

    Raises
    ------
    AbsentError
        if the server has no such file.
    FoldgraftError
        if it cannot be had, or is not the published one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            with _alone(path), httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
                if not path.is_file():
                    Transfer(client, url, path, limit).run()
    except TROUBLE as error:
        kind = AbsentError if isinstance(error, NotFoundError) else FoldgraftError
        raise kind(f"trunk: {url} could not be downloaded ({error}); {by_hand}") from None
    if not _published(path, path.name):
        raise FoldgraftError(
            f"{path}: is not the published file (sha256 should be {PINNED[path.name]}); delete it and run again"
        )


def _published(path: Path, name: str) -> bool:
    """Whether a file is the one published under this name, as far as that is known."""
    return name not in PINNED or file_sha256(path) == PINNED[name]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file; it is the kernel's, so that it ends with the process that holds it."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"trunk: another process is fetching {path.name}; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass
class Transfer:
    """One file on its way to `path`, past a part file beside it, and a file with the server's tag of what it is of.

    The tag goes back to the server with the size of the part: the server then sends the rest if its file is still the
    same, else the whole. A part whose tag is not known, or that the rest does not fit, is discarded.
    """

    client: httpx.Client
    url: str
    path: Path
    limit: int

    def run(self) -> None:
        """Try until the file is whole."""
        self.part = self.path.with_name(f".{self.path.name}.part")
        self.tag = self.path.with_name(f".{self.path.name}.tag")
        retrying = Retrying(
            retry=retry_if_exception(_passing),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=20),
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                self._stream()
        self.part.replace(self.path)
        self.tag.unlink(missing_ok=True)

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def _stream(self) -> None:
        tag = self.tag.read_text() if self.tag.is_file() else ""
        have = self.part.stat().st_size if tag and self.part.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        with self.client.stream("GET", self.url, headers=headers) as response:
            self._judge(response, have)
            if response.status_code == 200:
                have = 0
                self._begin(response.headers)
            size = have + int(response.headers.get("content-length", 0))
            self._bound(size)
            whole = self._whole(response)
            chunks = progress(response.iter_bytes(CHUNK), f"{self.path.name}, MiB", ceil((size - have) / CHUNK) or None)
            with self.part.open("ab") as handle:
                for chunk in chunks:
                    have += len(chunk)
                    self._bound(have)
                    handle.write(chunk)
        if whole and have > whole:
            self._discard()
        if whole and have != whole:  # a server may send less of a range than it was asked for
            raise InterruptedDownloadError(f"{have} of its {whole} bytes came")
        if (stated := _stated_sha256(response)) and file_sha256(self.part) != stated:
            self._discard()
            raise InterruptedDownloadError(f"its sha256 is not {stated}, which the server states")
        if not _published(self.part, self.path.name):
            self._discard()
            wrong = InterruptedDownloadError if response.status_code == 206 else httpx.HTTPError
            raise wrong(f"it is not the published file, whose sha256 is {PINNED[self.path.name]}")

    def _begin(self, headers: httpx.Headers) -> None:
        """An empty part; its tag is written after the old part is gone, so that the two always belong together."""
        self._discard()
        self.part.touch()
        tag = headers.get("etag", "")
        # a weak tag, W/"...", does not promise the same bytes, and of an encoded file the server counts other bytes
        if tag.startswith('"') and tag.isascii() and "content-encoding" not in headers:
            self.tag.write_text(tag)

    @staticmethod
    def _whole(response: httpx.Response) -> int | None:
        """Size of the whole file where a part of it comes, if the server tells."""
        span = CONTENT_RANGE.match(response.headers.get("content-range", ""))
        return int(span[2]) if span and response.status_code == 206 and span[2] != "*" else None

    def _judge(self, response: httpx.Response, have: int) -> None:
        status, span = response.status_code, response.headers.get("content-range", "")
        if self.url.startswith("https:") and any(one.url.scheme != "https" for one in (*response.history, response)):
            raise httpx.HTTPError("it was redirected from https to http, where anybody may change the file")
        if status in (408, 429) or status >= 500:
            raise InterruptedDownloadError(f"the server answered {status}")
        fits = CONTENT_RANGE.match(span)
        if status == 416 or (status == 206 and not (have and fits and int(fits[1]) == have)):
            self._discard()
            raise InterruptedDownloadError(
                f"the server answered {status} {span}, which does not fit the {have} bytes here"
            )
        if status == 404:
            raise NotFoundError(f"the server answered {status}")
        if status not in (200, 206):
            raise httpx.HTTPError(f"the server answered {status}")
        if response.headers.get("content-type", "").startswith("text/html"):
            raise httpx.HTTPError("a web page came instead of the file")

    def _bound(self, size: int) -> None:
        if size > self.limit:
            self._discard()
            raise httpx.HTTPError(f"it has {size} bytes or more, and {self.limit} were expected at most")


def _stated_sha256(response: httpx.Response) -> str | None:
    """The sha256 by which the Hugging Face hub knows a large file, told before it redirects to where the bytes are."""
    tags = (one.headers.get("x-linked-etag", "") for one in (*response.history, response))
    return next((match[1] for tag in tags if (match := SHA256_TAG.fullmatch(tag))), None)


def _passing(error: BaseException) -> bool:
    """Whether another attempt may help; a proxy that refuses refuses again."""
    transport = isinstance(error, httpx.TransportError) and not isinstance(error, httpx.ProxyError)
    return transport or isinstance(error, InterruptedDownloadError)
