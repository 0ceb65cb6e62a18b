"""HTTP with manners: time-outs, retries with growing pauses, bounds, and nothing but https."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from foldgraft import __version__
from foldgraft.errors import FoldgraftError
from foldgraft.fetch.settings import FetchSettings

T = TypeVar("T")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
PASSING = {408, 425, 429, 500, 502, 503, 504}
LONGEST = 120.0  # seconds between two attempts
PATIENCE = 600.0  # seconds at most that a server may ask to wait
CHUNK = 1 << 16


class PassingError(Exception):
    """A failure that may be gone at the next attempt; `wait` is how many seconds the server asks to be left alone."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class FinalError(Exception):
    """A failure that another attempt would not mend."""


class Client:
    """A connection pool that obeys the settings; safe to share between threads."""

    def __init__(self, settings: FetchSettings):
        contact = f"; {settings.contact}" if settings.contact else ""
        self.answered = False
        self._settings = settings
        self._bound = settings.max_file_mb * 10**6
        self._http = httpx.Client(
            timeout=settings.timeout,
            follow_redirects=True,
            max_redirects=5,
            headers={"User-Agent": f"foldgraft/{__version__} (+python-httpx{contact})", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=settings.connections),
            event_hooks={"request": [_refuse_plain]},
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def patiently(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, tried again while it raises `PassingError` and the settings allow.

        Raises
        ------
        FinalError
            at once, or `PassingError` when the last attempt has failed.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self._settings.retries + 1),
            wait=self._pause,
            retry=retry_if_exception_type(PassingError),
            reraise=True,
        )
        return retrying(attempt)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, PassingError) else 0.0
        longest = min(self._settings.backoff * 2 ** (state.attempt_number - 1), LONGEST)
        return max(asked, random.uniform(longest / 2, longest))

    @contextmanager
    def stream(self, method: str, url: str, **request: Any) -> Iterator[httpx.Response]:
        """One attempt at a response of status 2xx, its body not yet read."""
        try:
            with self._http.stream(method, url, **request) as response:
                self.answered = True
                _judge(response)
                yield response
        except httpx.TooManyRedirects:
            raise FinalError("too many redirects") from None
        except httpx.TransportError as error:
            raise PassingError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None
        except httpx.HTTPError as error:
            raise FinalError(f"{type(error).__name__}: {error}") from None

    def check_answered(self, reasons: Iterable[str]) -> None:
        """Raise a `FoldgraftError` if there are reasons of failure and no server ever answered.

        To reject every item for a network that is down would stay in the lock when it is up again.
        """
        reason = next(iter(reasons), None)
        if reason is not None and not self.answered:
            raise FoldgraftError(f"no server answered ({reason}); check the network and run again")

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """The body piece by piece, not more of it than the settings allow."""
        size = 0
        for chunk in response.iter_bytes(CHUNK):
            size += len(chunk)
            if size > self._bound:
                raise FinalError(f"the file is larger than {self._bound} bytes (fetch.max_file_mb)")
            yield chunk

    def get(self, url: str, **request: Any) -> httpx.Response:
        """A whole small response, its bytes as `content`, retried as the settings say."""
        return self._whole("GET", url, **request)

    def post(self, url: str, **request: Any) -> httpx.Response:
        """Like `get`, with a body."""
        return self._whole("POST", url, **request)

    def _whole(self, method: str, url: str, **request: Any) -> httpx.Response:
        def attempt() -> httpx.Response:
            with self.stream(method, url, **request) as response:
                content = b"".join(self.chunks(response))
                headers = {
                    k: v for k, v in response.headers.items() if k.lower() not in ("content-encoding", "content-length")
                }
                return httpx.Response(response.status_code, headers=headers, content=content, request=response.request)

        return self.patiently(attempt)


def _refuse_plain(request: httpx.Request) -> None:
    if not allowed(str(request.url)):
        raise FinalError(f"refused: {request.url} is not https")


def allowed(url: str) -> bool:
    """Whether a URL may be asked: https anywhere, http on this very machine only."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def check_services(settings: FetchSettings) -> None:
    """Raise a `FoldgraftError` for a base URL that may not be asked."""
    for name, url in settings.services.model_dump().items():
        if not allowed(url):
            raise FoldgraftError(f"fetch.services.{name}: {url!r} is no https address")


def _judge(response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    if status in PASSING:
        raise PassingError(f"HTTP {status}", _asked(response.headers.get("Retry-After", "")))
    raise FinalError(f"HTTP {status}{' (not found)' if status == 404 else ''}")


def _asked(value: str) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return 0.0
    return min(max(seconds, 0.0), PATIENCE)
