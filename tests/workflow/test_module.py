"""The workflow as a module of somebody else's, in another folder: run to its end, not only planned."""

import re
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from running import SMALL, snakemake, stood_in
from test_kills import OFFLINE

FEW = OFFLINE | {"experiments": {"solubility": {"task": "solubility"}}, "predict": {}}

MODULE = """
configfile: "config.yaml"


module foldgraft:
    snakefile: "{snakefile}"
    config: config["foldgraft"]
    {prefix}


use rule * from foldgraft{names}
"""
OUTER = """

rule all:
    default_target: True
    input: "results/kill/report/index.html"
    output: "mine.txt"
    shell: "cp {input} {output}"
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return stood_in(tmp_path_factory.mktemp("module") / "its checkout")


def use(checkout, folder, results, names="", prefix="", outer=""):
    """Write a workflow that uses the checkout as a module; its results go below `results`."""
    folder.mkdir()
    values = FEW | {"predict": {"sequences": {"new": f"{results}/kill/synth/constructs.fasta"}}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"foldgraft": values, "mine": 1}))
    snakefile = checkout / "workflow/Snakefile"
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile, names=names, prefix=prefix) + outer)


def run(folder, *words):
    done = snakemake(folder, "--cores", "4", "--quiet", "rules", *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def test_a_module_with_names_of_its_own_runs_where_paths_have_blanks_umlauts_and_braces(checkout, tmp_path):
    folder = tmp_path / "Größe {of} it's"
    use(checkout, folder, "results", names=" as fg_*", outer=OUTER)
    run(folder)
    assert (folder / "mine.txt").read_text().startswith("report render ")
    assert "Nothing to be done" in run(folder, "--dry-run")
    page = folder / "of Snakemake.html"
    run(folder, "--report", page.name)
    assert "foldgraft" in page.read_text() and "results/kill/report/index.html" in page.read_text()


def test_a_module_below_a_prefix_runs_as_snakedeploy_lays_it_out(checkout, tmp_path):
    folder = tmp_path / "outer"
    use(checkout, folder, "below/results", prefix='prefix: "below"')
    run(folder)
    results = folder / "below/results/kill"
    assert (results / "report/index.html").is_file() and (results / "predict/new.csv").is_file()
    assert not (folder / "results").exists()


TWICE = """
use rule curate_shard from foldgraft as fg_curate_shard with:
    threads: 2


module second:
    snakefile: "{snakefile}"
    config: {{**config["foldgraft"], "run": "second", "predict": {{}}}}


use rule * from second as second_*


rule all:
    default_target: True
    input: "results/kill/curate/index.parquet", "results/second/curate/index.parquet"
"""


def test_a_module_used_twice_and_with_a_rule_of_ones_own_keeps_track_of_what_is_made_from_what(checkout, tmp_path):
    folder = tmp_path / "outer"
    outer = TWICE.format(snakefile=checkout / "workflow/Snakefile")
    use(checkout, folder, "results", names=" as fg_*", outer=outer)
    done = snakemake(folder, "--dry-run", "--printshellcmds")
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"--made-from ([0-9a-f]+)@(\d):(\S*) curate (shard|summary)", done.stdout)
    shards = {own[:10]: threads for own, threads, _, kind in calls if kind == "shard"}
    read = [told for _, _, told, kind in calls if kind == "summary"]
    assert sorted(shards.values()) == ["1", "2"] and sorted(read) == sorted(shards)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address at which a real server on loopback gives the files of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_workflow_from_an_address_runs_with_the_installed_package(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(SMALL | {"predict": {}}))
    with served(root) as address:
        words = ["--snakefile", f"{address}/workflow/Snakefile", "--configfile", "mine.yaml", "--until", "fetch_labels"]
        run(tmp_path, *words)
        again = run(tmp_path, *words, "--dry-run")
    assert re.search(r"^total +0$", again, re.MULTILINE)
    assert (tmp_path / "results/small/fetch/labels/solubility-00001.parquet").is_file()
