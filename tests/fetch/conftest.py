"""A configuration that points at a local server, and structure files small enough to read."""

import gzip
import socketserver
import threading
from contextlib import ExitStack, contextmanager

import pytest

from foldgraft.fetch.settings import FetchSettings, ServicesSettings
from foldgraft.fetch.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def settings_for():
    """Fetch settings whose services are all at one base URL, and that lose no time between attempts."""

    def make(base, **more):
        services = ServicesSettings(
            rcsb_files=f"{base}/download",
            rcsb_search=f"{base}/query",
            rcsb_data=f"{base}/data",
            alphafold=f"{base}/api",
            uniprot=f"{base}/uniprotkb",
            sifts=f"{base}/sifts.csv.gz",
        )
        values = {"backoff": 0.001, "retries": 2, "timeout": 5.0, "services": services} | more
        return FetchSettings.model_validate(values)

    return make


@pytest.fixture
def settings(httpserver, settings_for):
    return settings_for(httpserver.url_for("").rstrip("/"))


@pytest.fixture
def cif():
    """A gzip-compressed mmCIF file that names an entry."""

    def make(entry, filling=""):
        return gzip.compress(f"data_{entry}\n_entry.id {entry}\n# {filling}\n".encode(), mtime=0)

    return make


@contextmanager
def listening(handle):
    """A TCP server on loopback that hands each connection's socket, its request read, to `handle`; yields its URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = self.request.recv(4096)
                if not piece:
                    return
                head += piece
            handle(self.request, head)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A client that hangs up is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def raw_server():
    """Start a server below HTTP, for answers that no well-bred server gives."""
    with ExitStack() as stack:
        yield lambda handle: stack.enter_context(listening(handle))
