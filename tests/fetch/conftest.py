"""A configuration that points at a local server, and structure files small enough to read."""

import gzip

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
            alphafold=f"{base}/api",
            uniprot=f"{base}/uniprotkb",
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
