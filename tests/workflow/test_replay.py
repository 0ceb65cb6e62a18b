"""A run with every source of structures and labels, and the same again from its lock: no server, no local files."""

import gzip
import json
import re

import pyarrow.parquet as pq
import pytest
import yaml
from pytest_httpserver import HTTPServer
from running import ROOT, content, planned, snakemake
from werkzeug import Response


def cif(entry):
    return gzip.compress(f"data_{entry}\n_entry.id {entry}\n#\n".encode(), mtime=0)


def archive(server):
    """The PDB with 1ubq, and 1hhb withdrawn in favour of 4hhb; a search that finds 1crn and 4hhb; a predicted model."""
    for entry in ("1ubq", "4hhb", "1crn"):
        server.expect_request(f"/download/{entry}.cif.gz").respond_with_data(cif(entry))
    about = {"remove_date": "1984-07-18", "id_codes_replaced_by": ["4HHB"]}
    removed = {"rcsb_id": "1HHB", "rcsb_repository_holdings_removed": about}
    server.expect_request("/rest/v1/holdings/removed/1HHB").respond_with_json(removed)
    server.expect_request("/query").respond_with_json({"total_count": 2, "result_set": ["4HHB", "1CRN"]})

    def days(request):
        ids = json.loads(request.data)["variables"]["ids"]
        entries = [{"rcsb_id": name, "rcsb_accession_info": {"initial_release_date": "1981-01-01"}} for name in ids]
        return Response(json.dumps({"data": {"entries": entries}}), content_type="application/json")

    server.expect_request("/graphql").respond_with_handler(days)
    model = {"entryId": "AF-P69905-F1", "latestVersion": 6, "cifUrl": server.url_for("/model.cif")}
    server.expect_request("/api/P69905").respond_with_json([model])
    server.expect_request("/model.cif").respond_with_data(cif("AF-P69905-F1"))
    server.expect_request(re.compile("/.*")).respond_with_data("", status=404)


def configuration(base, run, **more):
    services = {"rcsb_files": f"{base}/download", "rcsb_search": f"{base}/query", "rcsb_data": base}
    return {
        "run": run,
        "structures": {
            "files": ["in/*.cif"],
            "rcsb": {"ids": ["1ubq", "1hhb", "9zzz"], "query": {"max_entries": 5}},
            "alphafold": {"accessions": ["P69905"]},
        },
        "solubility": {"table": "in/labels.tsv"},
        "fetch": {"services": services | {"alphafold": f"{base}/api"}, "retries": 0, "shard_size": 4},
        **more,
    }


def run(folder, values, *options):
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump(values))
    where = ("--cores", "2", "--configfile", path.name)
    return snakemake(folder, "fetch", *where, *options, snakefile=ROOT / "Snakefile")


def tables(folder, run):
    root = folder / "results" / run / "fetch"
    return {str(path.relative_to(root)): content(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """A folder in which the run `first` has been made, its server gone; and its configuration."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "in").mkdir()
    for name in "abc":
        (folder / f"in/{name}.cif").write_text(f"data_{name}\n")
    (folder / "in/labels.tsv").write_text(
        "id\tsequence\tlabel\np\tMKV\t1\nq\tMKL\t0\nr\tMKI\t1\ns\tMKW\t0\nt\tMKA\t1\n"
    )
    with HTTPServer(port=0) as server:
        archive(server)
        values = configuration(server.url_for("").rstrip("/"), "first")
        done = run(folder, values)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, values


def test_a_replay_gives_the_same_bytes_without_server_and_files(fetched):
    folder, values = fetched
    (folder / "in").rename(folder / "moved")
    done = run(folder, values | {"run": "again", "replay": "results/first/fetch/lock.parquet"})
    (folder / "moved").rename(folder / "in")
    assert done.returncode == 0, done.stdout + done.stderr
    first = tables(folder, "first")
    assert tables(folder, "again") == first
    assert {"search.txt", "lock.parquet", "labels/solubility-00000.parquet", "structures/query-00001.parquet"} <= set(
        first
    )
    assert first["search.txt"] == b"1crn\n4hhb\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replay": "nowhere.parquet"}, "nowhere.parquet"),
        ({"replay": "results/first/fetch/lock.parquet", "run": "first"}, "replay: it is where this run writes its own"),
        (
            {
                "replay": "results/first/fetch/lock.parquet",
                "structures": {"files": ["in/**/*.cif"], "rcsb": {"ids": ["2abc"]}},
            },
            "has no 2abc in the shard rcsb-00000, as this configuration has",
        ),
    ],
)
def test_a_replay_that_does_not_fit_stops_before_any_job(fetched, change, words):
    folder, values = fetched
    done = run(folder, values | {"run": "wrong"} | change, "--dry-run")
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_alignments_are_replayed_anew_from_another_lock(fetched):
    folder, values = fetched
    asked = "rules.fetch_alignments.rule.params.digest(types.SimpleNamespace(shard='files-00000'))"
    (folder / "told.smk").write_text(f"import types\ninclude: {str(ROOT / 'Snakefile')!r}\nprint('told', {asked})\n")
    lock = pq.read_table(folder / "results/first/fetch/lock.parquet")
    values = values | {"run": "other", "msa": {"database": "colabfold"}, "replay": "other.parquet"}
    (folder / "other.yaml").write_text(yaml.safe_dump(values))
    told = []
    for table in (lock, lock.set_column(lock.column_names.index("release"), "release", [["2026_01"] * len(lock)])):
        pq.write_table(table, folder / "other.parquet")
        done = snakemake(folder, "fetch", "--dry-run", "--configfile", "other.yaml", snakefile="told.smk")
        told += re.findall(r"^told (.+)$", done.stdout + done.stderr, re.M)
    assert len(set(told)) == 2, done.stderr


def test_a_later_day_of_refreshing_reruns_what_is_downloaded(fetched):
    folder, values = fetched
    fetch = values["fetch"] | {"refreshed_after": "2020-01-01"}
    done = run(folder, values | {"fetch": fetch}, "--dry-run")
    assert planned(done.stdout + done.stderr)["fetch_structures"] == 4  # of files, one more
