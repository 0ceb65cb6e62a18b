"""Jobs that are killed, interrupted, or run two at a time: real processes against a real server."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import foldgraft
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import read_rows

SOURCE = {"PYTHONPATH": str(Path(foldgraft.__file__).parents[1])}
ENTRIES = [f"{1 + k // 10}ab{k % 10}" for k in range(24)]


@pytest.fixture
def archive(raw_server, cif):
    """A server that sends each file in two halves; `interfere` is called between them with the number of the request.

    The address of its services, and a function that sets the interference.
    """
    lock, state = threading.Lock(), {"count": 0, "interfere": lambda count: None}

    def handle(connection, head):
        with lock:
            state["count"] += 1
            count = state["count"]
        name = re.match(rb"GET /download/(\w+)\.cif\.gz", head)[1].decode()
        body = cif(name.upper(), f"{name} " * 9)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20]
        )
        state["interfere"](count)
        connection.sendall(body[20:])

    def interfere(action):
        state.update(count=0, interfere=action)

    return raw_server(handle), interfere


@pytest.fixture
def start(tmp_path, archive, settings_for):
    """Start a job that fetches the entries into a store and a lock of these names."""
    settings = settings_for(archive[0], retries=1, timeout=30, connections=3).model_dump_json()
    locations = json.dumps(ENTRIES)

    def job(store, lock):
        options = ("--shard", "rcsb-00000", "--locations", locations, "--store", store, "--lock", lock)
        command = [sys.executable, "-m", "foldgraft", "fetch", "structures", *options, "--settings", settings]
        # Tests that run in the background ignore interrupts, and so would their children.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(command, cwd=tmp_path, env=os.environ | SOURCE, stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, before)

    return job


def result(folder, store, lock):
    """The lock without times, each stored file verified."""
    rows = list(read_rows(folder / lock, SCHEMA))
    for row in rows:
        assert hashlib.sha256(store_path(folder / store, row["sha256"]).read_bytes()).hexdigest() == row["sha256"]
        del row["retrieved"]
    assert [row["id"] for row in rows] == ENTRIES
    return rows


def finish(job, code=0):
    _, told = job.communicate(timeout=60)
    assert job.returncode == code, told
    return told


def test_ten_kills_leave_no_trace(tmp_path, archive, start):
    """Each kill comes in the middle of a file, after a number of requests that is drawn."""
    finish(start("undisturbed", "a.parquet"))
    _, interfere = archive
    rng = random.Random(0)
    done = 0
    for _ in range(10):
        after, hit = rng.randint(1, 4), threading.Event()
        job = start("killed", "b.parquet")

        def kill(count, after=after, job=job, hit=hit):
            if count == after:
                job.kill()
                hit.set()

        interfere(kill)
        job.communicate(timeout=60)
        done += hit.is_set()
        assert (job.returncode == -signal.SIGKILL) == hit.is_set()
    assert done >= 5  # later jobs may find nothing left to do
    interfere(lambda count: None)
    finish(start("killed", "b.parquet"))
    assert result(tmp_path, "killed", "b.parquet") == result(tmp_path, "undisturbed", "a.parquet")


def test_an_interrupt_ends_at_once_and_the_next_job_goes_on(tmp_path, archive, start):
    _, interfere = archive
    job, silent = start("store", "lock.parquet"), threading.Event()

    def interrupt(count):
        if count == 5:
            job.send_signal(signal.SIGINT)
        if count >= 5:
            silent.wait(60)  # the server falls silent, far longer than the job may take to end

    interfere(interrupt)
    told = finish(job, 130)
    silent.set()
    assert "Traceback" not in told, told
    assert not (tmp_path / "lock.parquet").exists()
    asked = []
    interfere(asked.append)
    finish(start("store", "lock.parquet"))
    assert len(asked) <= len(ENTRIES) - 2  # of the four before the signal, those that came to an end are not asked for
    result(tmp_path, "store", "lock.parquet")


def test_two_jobs_share_a_store(tmp_path, archive, start):
    _, interfere = archive
    together = threading.Barrier(2)

    def meet(count):
        if count <= 2:
            together.wait(60)  # neither goes on before both are at work

    interfere(meet)
    jobs = [start("store", "a.parquet"), start("store", "b.parquet")]
    for job in jobs:
        finish(job)
    assert result(tmp_path, "store", "a.parquet") == result(tmp_path, "store", "b.parquet")
    assert not list((tmp_path / "store/incoming").iterdir())


def test_an_outage_in_the_middle_is_an_error_that_keeps_what_came(tmp_path, archive, start):
    _, interfere = archive

    def hang_up(count):
        if count > 5:
            raise ConnectionError

    interfere(hang_up)
    told = finish(start("store", "lock.parquet"), 2)
    assert "has stopped answering: 20 attempts failed one after another" in told
    assert "what was downloaded is kept in the store, so run again" in told
    assert not (tmp_path / "lock.parquet").exists()
    asked = []
    interfere(asked.append)
    finish(start("store", "lock.parquet"))
    assert len(asked) == len(ENTRIES) - 5
    result(tmp_path, "store", "lock.parquet")
