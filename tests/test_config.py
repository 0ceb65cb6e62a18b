"""The configuration: what it refuses, and that its manual says what it is."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from foldgraft import manual
from foldgraft.config import Config, load
from foldgraft.errors import FoldgraftError

EXAMPLES = sorted(path.stem for path in (Path(__file__).parent.parent / "config/examples").glob("*.yaml"))
INPUT = {"structures": {"files": ["*.cif"]}}
ALIGNED = {
    "sequences": {"files": ["*.fasta"]},
    "experiments": {"c": {"task": "contact", "features": ["attention", "coevolution"]}},
}


SHIPPED = ["demo", "real_files", "config", *(f"examples/{name}" for name in EXAMPLES)]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_configurations_that_ship_are_valid(root, name):
    values = yaml.safe_load((root / f"config/{name}.yaml").read_text())
    load(values)
    jsonschema.validate(json.loads(json.dumps(values, default=str)), json.loads(manual.schema_text()))


def test_the_manual_and_the_schema_are_in_step_with_the_settings(root):
    """If this fails: make docs."""
    assert (root / "config/README.md").read_text() == manual.manual()
    assert (root / "config/schema.json").read_text() == manual.schema_text()


def test_every_section_of_the_configuration_has_its_chapter():
    sections = {name for name, field in Config.model_fields.items() if "foldgraft." in str(field.annotation)}
    chapters = {line.split()[1] for line in manual.manual().splitlines() if line.startswith("## ")}
    assert sections == chapters - {"Top"}


def test_every_key_has_a_sentence(root):
    for line in manual.manual().splitlines():
        if line.startswith("| `") and ".yaml" not in line:
            meaning = line.strip("| ").split("|")[-1].strip()
            assert meaning.endswith((".", "...")), line


def abroad(**external):
    """A configuration with a labelled table on which heads are tried."""
    table = {"table": "trial.csv", "kind": "value", "unit": "celsius"}
    experiments = {"c": {"task": "contact"}, "t": {"task": "trial"}, "k": {"task": "affinity"}}
    tables = {"trial": table, "affinity": {**table, "unit": "nM"}}
    return {**INPUT, "labels": tables, "experiments": experiments, "evaluate": {"external": external}}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["no input"]),
        ({**INPUT, "run": "../etc"}, ["run", "../etc"]),
        ({**INPUT, "msa": {"database": "colabfold"}}, ["fetch.contact: ColabFold's server", "asks who is calling"]),
        (
            {**INPUT, "msa": {"database": "colabfold", "sensitivity": 4}},
            ["msa", "sensitivity: ColabFold's server searches in a way of its own"],
        ),
        ({**INPUT, "experiments": {"baseline_x": {"task": "contact"}}}, ["baseline_"]),
        ({**INPUT, "experiments": {"transfer_x": {"task": "contact"}}}, ["transfer_"]),
        (abroad(trail=["c"]), ["evaluate.external.trail: there is no such labelled table; take trial, affinity"]),
        (abroad(trial=[]), ["evaluate.external.trial: name each experiment"]),
        (abroad(trial=["d"]), ["evaluate.external.trial: 'd' is none of c, t, k"]),
        (abroad(trial=["t"]), ["evaluate.external.trial: t learns from this table"]),
        (abroad(trial=["c"]), ["evaluate.external.trial: c predicts no value of each protein"]),
        (abroad(trial=["k"]), ["evaluate.external.trial: k learnt other classes, or a value in another unit"]),
        ({**INPUT, "labels": {"nearest": {"table": "t.csv"}}}, ["the name nearest is taken"]),
        ({**INPUT, "experiments": {"trunk": {"task": "contact"}}}, ["experiments", "the name trunk is taken"]),
        ({**INPUT, "experiments": {"s": {"task": "solubility"}}}, ["experiments.s", "solubility"]),
        ({**INPUT, "experiments": {"c": {"task": "contact", "features": ["coevolution"]}}}, ["coevolution"]),
        ({**INPUT, "experiments": {"c": {"task": "contact", "haed": 1}}}, ["experiments.c.haed: no such key"]),
        ({**INPUT, "experiments": {"c": {"task": "contact", "head": "x"}}}, ["experiments.c.head: ", "'logistic'"]),
        (
            {**INPUT, "experiments": {"c": {"task": "contact", "head": {"name": "residual", "hiden": 3}}}},
            ["experiments.c.head.hiden: no such key"],
        ),
        ({**INPUT, "experiments": {"c": {"task": "contcat"}}}, ["experiments.c.task", "contcat", "distogram"]),
        (
            {**INPUT, "experiments": {"c": {"task": "ss3", "training": {"loss": "mse"}}}},
            ["experiments.c.training.loss: mse does not fit the task ss3", "ce or kl"],
        ),
        (
            {**INPUT, "experiments": {"c": {"task": "ss3", "training": {"optimizer": {"name": "lion"}}}}},
            ["experiments.c.training.optimizer.name", "'adamw'"],
        ),
        ({**INPUT, "experiments": {"c": {"task": "ss3", "head": "logistic"}}}, ["experiments.c.head", "residue tasks"]),
        ({**INPUT, "experiments": {"c": {"task": ["ss3", "contact"]}}}, ["experiments.c.task", "different levels"]),
        (
            {**INPUT, "experiments": {"c": {"task": "ss3", "covariates": ["host"]}}},
            ["experiments.c.covariates", "host"],
        ),
        (
            {"solubility": {"table": "t.csv"}, "cluster": {"split_by": "released", "released": "2020-01-01"}},
            ["cluster.split_by", "structures"],
        ),
        ({"solubility": {"table": "t.csv"}, "cluster": {"split_by": "group"}}, ["cluster.split_by", "columns.group"]),
        ({**INPUT, "cluster": {"split_by": "released"}}, ["cluster: split_by", "a day"]),
        ({**INPUT, "synth": {}}, ["synth"]),
        ({"synth": {}, "replay": "lock.parquet"}, ["replay", "seed"]),
        ({**INPUT, "run": "x", "replay": "results/x/fetch/lock.parquet"}, ["replay", "its own lock"]),
        ({**INPUT, "predict": {"experiments": ["nothing"]}}, ["predict", "nothing"]),
        ({**INPUT, "predict": {"sequences": {"new": "new.fasta"}}}, ["predict.sequences", "predict.experiments"]),
        (
            {**INPUT, **ALIGNED, "predict": {"sequences": {"n": "n.fa"}, "experiments": ["c"]}},
            ["predict.experiments: c", "coevolution"],
        ),
        ({**INPUT, "trunk": {"pretrain": {}}}, ["trunk.pretrain", "sequences"]),
        ({**INPUT, "trunk": {"model": "esm3"}}, ["trunk", "esm3", "esm2_t6_8M_UR50D"]),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(values, words):
    with pytest.raises(FoldgraftError) as error:
        load(values)
    assert all(word in str(error.value) for word in words), error.value


CARD = {"summary": "s", "data": "d", "licence": "l", "command": "c", "limits": ["x"]}
RESIDUES = {"labels": {"flexibility": {"table": "t.csv", "level": "residue", "kind": "value"}}}


@pytest.mark.parametrize(
    "experiment",
    [
        {"task": "ss3", "head": "ss3_mlp"},
        {"task": "contact", "features": ["separation"]},
        {"task": ["ss3", "torsions"]},
        {"task": "solubility", "head": "mlp", "unfreeze": {"last": 1}},
        {"task": "solubility", "head": "cnn_from_scratch"},
    ],
)
def test_a_card_of_what_it_cannot_describe_is_refused_before_any_job(experiment):
    values = {"synth": {}} if "solubility" in experiment["task"] else {**INPUT, **RESIDUES}
    load({**values, "experiments": {"mine": experiment}})
    with pytest.raises(FoldgraftError, match=r"report\.cards\.mine: a card describes .* remove its card"):
        load({**values, "experiments": {"mine": experiment}, "report": {"cards": {"mine": CARD}}})


@pytest.mark.parametrize("level", ["protein", "residue"])
@pytest.mark.parametrize("kind", ["binary", "value", "classes"])
def test_a_card_of_labels_is_accepted(kind, level):
    table = {
        "table": "t.csv",
        "kind": kind,
        "level": level,
        **({"classes": ["in", "out"]} if kind == "classes" else {}),
    }
    load({"labels": {"t": table}, "experiments": {"mine": {"task": "t"}}, "report": {"cards": {"mine": CARD}}})


@pytest.mark.parametrize("task", ["ss3", "contact", "distogram"])
def test_a_card_of_structures_is_accepted(task):
    load({**INPUT, "experiments": {"mine": {"task": task}}, "report": {"cards": {"mine": CARD}}})


def test_what_is_wrong_with_the_whole_is_said_without_showing_the_whole():
    with pytest.raises(FoldgraftError) as error:
        load({"run": "x", "solubility": None})
    assert str(error.value).splitlines()[1].startswith("no input: ")
    assert "given:" not in str(error.value)


def test_a_synthetic_proteome_fills_in_its_inputs():
    config = load({"run": "x", "synth": {"families": 3}})
    assert config.structures.files == ["results/x/synth/structures/*.cif.gz"]
    assert config.aligned


def test_a_labelled_table_joins_a_synthetic_proteome():
    config = load({"synth": {"families": 3}, "labels": {"trial": {"table": "trial.csv"}}})
    assert list(config.labelled) == list(config.tables) == ["solubility", "trial"]


def test_an_experiment_without_a_task_is_told_so():
    with pytest.raises(FoldgraftError, match=r"experiments\.mine\.task: it must be given"):
        load({"run": "r", "structures": {"files": ["*.cif"]}, "experiments": {"mine": {"head": "linear"}}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"experiments": {"s": {"task": "contacts"}}}, "did you mean contact?"),
        ({"experiments": {"s": {"task": "ss3", "head": "convolutions"}}}, "did you mean convolution?"),
        ({"embed": {"precision": "bflot16"}}, "did you mean bfloat16?"),
    ],
)
def test_a_misspelled_value_is_answered_by_the_likeliest(values, words):
    with pytest.raises(FoldgraftError) as error:
        load({"synth": {}, **values})
    assert words in str(error.value)
