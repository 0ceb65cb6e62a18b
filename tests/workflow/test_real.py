"""The whole workflow on real proteins, a reduced set of them."""

import pandas as pd
import pytest
from running import ROOT, snakemake

CONFIGURATION = ("config/real_files.yaml", "config/reduced.yaml")


@pytest.fixture(scope="module")
def real_run(tmp_path_factory, real_data, genuine):
    """The results of the reduced run on the folder of real proteins, with a trunk that learnt from real proteins."""
    folder = tmp_path_factory.mktemp("real")
    files = [str(ROOT / name) for name in CONFIGURATION]
    given = (f"data={real_data}", f"trunk={{checkpoint: {genuine}}}")
    arguments = ("--cores", "2", "--configfile", *files, "--config", *given)
    done = snakemake(folder, *arguments, "--show-failed-logs", snakefile=ROOT / "Snakefile")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return folder / "results/reduced"


@pytest.mark.real
def test_real_proteins_go_through_every_stage(real_run):
    metrics = pd.read_csv(real_run / "evaluate/metrics.csv")
    test = metrics[metrics.split == "test"].set_index(["experiment", "metric"]).value
    print(metrics[metrics.split == "test"].to_string())
    seconds = {
        str(path.relative_to(real_run / "benchmarks").with_suffix("")): pd.read_csv(path, sep="\t")["s"].sum()
        for path in sorted((real_run / "benchmarks").rglob("*.tsv"))
    }
    print(pd.Series(seconds).to_string())
    # Published for length, composition and charge on all of the table: 0.717; half of it would be chance.
    assert 0.6 < test["baseline_composition", "roc_auc"] < 0.85
    assert 0.6 < test["solubility", "roc_auc"] < 0.85
    assert 0 < test["contacts", "P@L all"] < 1
    assert (real_run / "report/index.html").stat().st_size > 100_000


@pytest.mark.real
def test_what_is_dropped_of_real_entries_has_a_reason(real_run):
    rejects = pd.read_csv(real_run / "curate/rejects.csv")
    index = pd.read_parquet(real_run / "curate/index.parquet")
    assert len(index) > 50
    assert rejects.reason.notna().all()


@pytest.mark.real
def test_alignments_made_elsewhere_serve_the_chains_that_they_fit(real_run):
    tables = [pd.read_parquet(path) for path in (real_run / "msa/alignments").glob("*.parquet")]
    alignments = pd.concat(tables)
    precomputed = alignments[alignments.source != "search"]
    assert len(precomputed) > 0
    assert precomputed.depth.min() > 100
