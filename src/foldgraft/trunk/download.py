"""Download of published ESM-2 checkpoints."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records.files import file_sha256
from foldgraft.trunk.settings import PUBLISHED

PINNED = {
    "esm2_t6_8M_UR50D.pt": "46f002a9870c9bdecd0ea887acb1f9a38a6b561e8f8bf8a6990b679b9d31b928",
    "esm2_t6_8M_UR50D-contact-regression.pt": "8f7a4557d57713b97ba0e484303007efb7230d25299c0ac47a0a1b12a87bbb9d",
}
"""sha256 of the files where it is known from two public sources."""

CHUNK = 2**20
REGRESSION_BYTES = 2**20
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
ATTEMPTS = 4


class InterruptedDownloadError(Exception):
    """Something that may go better the next time."""


def download(name: str, folder: Path, base: str) -> tuple[Path, Path]:
    """The checkpoint and the contact regression of an ESM-2 model; what is in the folder already is not fetched again.

    Parameters
    ----------
    name
        of the model, one of `PUBLISHED`.
    folder
        where the files are kept under fair-esm's own names, to be shared by all runs.
    base
        address below which fair-esm's folders `models` and `regression` stand.

    Raises
    ------
    FoldgraftError
        if a file cannot be had, saying which to put where by hand, or if it is not the published one.
    """
    wanted = [
        (f"{name}.pt", f"{base.rstrip('/')}/models/{name}.pt", PUBLISHED[name]),
        (
            f"{name}-contact-regression.pt",
            f"{base.rstrip('/')}/regression/{name}-contact-regression.pt",
            REGRESSION_BYTES,
        ),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        for file, url, limit in wanted:
            if not (folder / file).is_file():
                try:
                    Transfer(client, url, folder / file, limit).run()
                except (InterruptedDownloadError, httpx.HTTPError, httpx.InvalidURL) as error:
                    raise FoldgraftError(
                        f"trunk: {url} could not be downloaded ({error}); where there is a network, fetch "
                        f"{' and '.join(url for _, url, _ in wanted)}, put the files into {folder.resolve()} under "
                        "their names, and run again"
                    ) from None
            _check(folder / file)
    return folder / wanted[0][0], folder / wanted[1][0]


def _check(path: Path) -> None:
    pinned = PINNED.get(path.name)
    if pinned and file_sha256(path) != pinned:
        raise FoldgraftError(f"{path}: is not the published file (sha256 should be {pinned}); delete it and run again")


@dataclass
class Transfer:
    """One file on its way to `path`; what a broken connection left is taken up again where the server allows it."""

    client: httpx.Client
    url: str
    path: Path
    limit: int
    tag: str = ""

    def run(self) -> None:
        """Try until the file is whole."""
        part = self.path.with_name(f".{self.path.name}.part")
        part.unlink(missing_ok=True)
        retrying = Retrying(
            retry=retry_if_exception_type((InterruptedDownloadError, httpx.TransportError)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=20),
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    self._stream(part)
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def _stream(self, part: Path) -> None:
        have = part.stat().st_size if self.tag and part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": self.tag}
        with self.client.stream("GET", self.url, headers=headers) as response:
            self._judge(response)
            if response.status_code == 200:
                have = 0
            size = have + int(response.headers.get("content-length", 0))
            self._bound(size)
            chunks = progress(response.iter_bytes(CHUNK), f"{self.path.name}, MiB", ceil(size / CHUNK) or None)
            with part.open("ab" if have else "wb") as handle:
                for chunk in chunks:
                    have += len(chunk)
                    self._bound(have)
                    handle.write(chunk)

    def _judge(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (408, 429) or status >= 500:
            raise InterruptedDownloadError(f"the server answered {status}")
        if status not in (200, 206):
            raise httpx.HTTPError(f"the server answered {status}")
        if response.headers.get("content-type", "").startswith("text/html"):
            raise httpx.HTTPError("a web page came instead of the file")
        tag = response.headers.get("etag", "")
        self.tag = "" if tag.startswith("W/") else tag  # a weak tag does not promise the same bytes

    def _bound(self, size: int) -> None:
        if size > self.limit:
            raise httpx.HTTPError(f"it has {size} bytes or more, and {self.limit} were expected at most")
