"""HTTP with manners: time-outs, retries with growing pauses, rates, bounds, and nothing but https."""

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from foldgraft import __version__
from foldgraft.errors import FoldgraftError
from foldgraft.fetch.settings import FetchSettings

T = TypeVar("T")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CONDITIONS = {"if-none-match", "if-modified-since"}
PASSING = {408, 425, 429, 500, 502, 503, 504}
LONGEST = 120.0  # seconds between two attempts
REDIRECTS = 5
ENCODINGS = ("", "identity", "gzip")  # one pass of gzip is bounded by the piece; several are a bomb
JSON_BYTES = 64 * 10**6  # of one answer: read as objects, it takes ten times as much memory
PATIENCE = 600.0  # seconds at most that a server may ask to wait
ENOUGH = 3600.0  # seconds for one body: a server may not hold a job by a byte now and then
RATES = {"rcsb_search": 10, "rcsb_data": 20, "alphafold": 5, "uniprot": 5}
"""Requests per second and job. The PDB's are those of its own client, py-rcsb-api; the other two services publish none
and ask for few. Files are served without a limit."""


class PassingError(Exception):
    """A failure that may be gone at the next attempt; `wait` is how many seconds the server asks to be left alone,
    `status` the answer's, if that was it."""

    def __init__(self, reason: str, wait: float = 0.0, status: int | None = None):
        super().__init__(reason)
        self.wait, self.status = wait, status


class FinalError(Exception):
    """A failure that another attempt would not mend; `status` is the answer's, if that was it."""

    def __init__(self, reason: str, status: int | None = None):
        super().__init__(reason)
        self.status = status


class StoppedError(Exception):
    """The client was told to stop."""


class Pace:
    """Lets through so many requests in any second, whichever thread they come from."""

    def __init__(self, rate: int):
        self._recent: deque[float] = deque(maxlen=rate)
        self._lock = threading.Lock()

    def pause(self) -> float:
        """Seconds to wait before the request that is hereby announced."""
        with self._lock:
            now = time.monotonic()
            full = len(self._recent) == self._recent.maxlen
            due = max(now, self._recent[0] + 1) if full else now
            self._recent.append(due)
            return due - now


class Client:
    """A connection pool that obeys the settings; safe to share between threads.

    When a service fails again and again without an answer between, every request to it raises a `FoldgraftError`: to
    reject item after item would stay in the lock when the service is up again.
    """

    def __init__(self, settings: FetchSettings):
        contact = f"; {settings.contact}" if settings.contact else ""
        agent = f"foldgraft/{__version__} (+python-httpx{contact})"
        services = settings.services.model_dump()
        self.answered = False
        self._settings = settings
        self._bound = settings.max_file_mb * 10**6
        self._paces = {services[name].rstrip("/"): Pace(rate) for name, rate in RATES.items()}
        self._loopback = any(urlsplit(url).hostname in LOOPBACK for url in services.values())
        self._failures: Counter[str] = Counter()
        self._outage = max(20, 2 * (settings.retries + 1) * settings.connections)
        self._stopped = threading.Event()
        self._retrying = Retrying(  # one for all threads: each has its own state in it
            stop=stop_after_attempt(settings.retries + 1),
            wait=self._pause,
            sleep=self.sleep,
            retry=retry_if_exception_type(PassingError),
            reraise=True,
        )
        try:
            self._http = httpx.Client(
                timeout=settings.timeout,
                headers={"User-Agent": agent, "Accept-Encoding": "identity"},
                limits=httpx.Limits(max_connections=settings.connections),
                event_hooks={"request": [self._refuse_plain]},
            )
        except (OSError, ValueError, ImportError) as error:
            raise FoldgraftError(
                f"the network cannot be used as the environment says: {error}; mend the variables of the proxy "
                "(HTTPS_PROXY, ALL_PROXY: http://HOST:PORT) or of the certificates (SSL_CERT_FILE, SSL_CERT_DIR)"
            ) from None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def stop(self) -> None:
        """End every wait and every download at its next piece with a `StoppedError`."""
        self._stopped.set()

    def patiently(self, url: str, attempt: Callable[[], T]) -> T:
        """The result of `attempt` to have something from `url`, again while it raises `PassingError` and may.

        Raises
        ------
        FinalError
            at once, or `PassingError` when the last attempt has failed; `FoldgraftError` when the service has stopped
            answering.
        """
        service = _service(url)

        def counted() -> T:
            try:
                result = attempt()
            except PassingError as error:
                self._failures[service] += 1
                if self._failures[service] >= self._outage:
                    self._give_up(service, error)
                raise
            except FinalError:
                self._failures[service] = 0
                raise
            self._failures[service] = 0
            return result

        return self._retrying(counted)

    def _give_up(self, service: str, error: PassingError) -> NoReturn:
        raise FoldgraftError(
            f"{service} has stopped answering: {self._outage} attempts failed one after another, the last with: {error}"
            "; what was downloaded is kept in the store, so run again when the service is up"
        )

    def sleep(self, seconds: float) -> None:
        """Wait, but not once the client is told to stop."""
        if self._stopped.wait(seconds):
            raise StoppedError

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, PassingError) else 0.0
        longest = min(self._settings.backoff * 2 ** (state.attempt_number - 1), LONGEST)
        return max(asked, random.uniform(longest / 2, longest))

    @contextmanager
    def stream(self, method: str, url: str, **request: Any) -> Iterator[httpx.Response]:
        """One attempt at a response of status 2xx, or 304 where it was asked for, its body not yet read."""
        self.sleep(sum(pace.pause() for base, pace in self._paces.items() if _below(url, base)))
        try:
            with self._answer(self._http.build_request(method, url, **request)) as response:
                self.answered = True
                _judge(response)
                yield response
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise PassingError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FinalError(f"{type(error).__name__}: {error}") from None

    @contextmanager
    def _answer(self, request: httpx.Request) -> Iterator[httpx.Response]:
        """The response to a request. Redirects are followed here, since httpx reads all that comes with each."""
        following: httpx.Request | None = request
        for _ in range(REDIRECTS + 1):
            with closing(self._http.send(following, stream=True)) as response:
                following = response.next_request
                if following is None:
                    yield response
                    return
        raise FinalError("too many redirects")

    def check_answered(self, reasons: Iterable[str]) -> None:
        """Raise a `FoldgraftError` if there are reasons of failure and no server ever answered.

        To reject every item for a network that is down would stay in the lock when it is up again.
        """
        reason = next(iter(reasons), None)
        if reason is not None and not self.answered:
            raise FoldgraftError(f"no server answered ({reason}); check the network and run again")

    def chunks(self, response: httpx.Response, bound: int | None = None) -> Iterator[bytes]:
        """The body piece by piece, not more of it than the bound, by default that of a file in the settings."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            raise FinalError(f"the answer is encoded as {encoding[:40]!r}, which was not asked for")
        most, hint = (bound, "") if bound else (self._bound, " (fetch.max_file_mb)")
        size, end = 0, time.monotonic() + ENOUGH
        for chunk in response.iter_bytes():
            if self._stopped.is_set():
                raise StoppedError
            if time.monotonic() > end:
                raise PassingError(f"the answer takes longer than {ENOUGH:.0f} s")
            size += len(chunk)
            if size > most:
                raise FinalError(f"the file is larger than {most} bytes{hint}")
            yield chunk

    def ask(self, url: str, question: Any = None) -> Any:
        """The JSON that a URL answers, to a question posted as JSON if there is one; None for an empty one (204).

        Raises
        ------
        PassingError, FinalError
            as `patiently`; an answer that is no JSON is a passing failure, a busy service's web page.
        """
        request = {} if question is None else {"json": question}
        return self.patiently(url, lambda: self.ask_once(url, **request))

    def ask_once(self, url: str, **request: Any) -> Any:
        """One attempt at the JSON that a URL answers, to what is posted (`json`, or `data` for a form), if anything."""
        with self.stream("POST" if request else "GET", url, **request) as response:
            content = b"".join(self.chunks(response, JSON_BYTES))
        if response.status_code == 204:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise PassingError(f"the answer is no JSON: it begins with {content[:40]!r}") from None

    def _refuse_plain(self, request: httpx.Request) -> None:
        """Every request passes here, those that follow a redirect too."""
        if not allowed(str(request.url)) or (request.url.scheme == "http" and not self._loopback):
            raise FinalError(f"refused: {request.url} is not https")


def _below(url: str, base: str) -> bool:
    return url.startswith(base) and url[len(base) : len(base) + 1] in ("", "/", "?")


def _service(url: str) -> str:
    """The host and the first folder of its path: one host may have several services."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{parts.path.strip('/').split('/')[0]}"


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
    if status < 300 or (status == 304 and response.request.headers.keys() & CONDITIONS):
        return
    if status in PASSING:
        raise PassingError(f"HTTP {status}", seconds_asked(response.headers.get("Retry-After", "")), status)
    raise FinalError(f"HTTP {status}{' (not found)' if status == 404 else ''}", status)


def seconds_asked(value: str) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(seconds, PATIENCE) if seconds > 0 else 0.0
