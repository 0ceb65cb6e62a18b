"""The commands, as the rules call them."""

import pandas as pd
from typer.testing import CliRunner

from foldgraft.train.command import app
from foldgraft.train.settings import ContactExperiment, SolubilityExperiment


def call(folder, path, *words):
    names = {"head": "h.safetensors", "history": "h.csv", "config": "e.yaml", "checks": "c.json", "predictions": "p"}
    given = [f"--trunk={folder.weights}", f"--description={folder.description}", f"--split={folder.split}"]
    written = [f"--{option}={path / name}" for option, name in names.items()]
    result = CliRunner().invoke(app, [*words, "--experiment=trial", *given, *written])
    assert result.exit_code == 0, result.output
    return [path / name for name in names.values()]


def test_solubility(folder, tmp_path):
    settings = SolubilityExperiment(head="linear", members=1, epochs=2).model_dump_json()
    shards = [f"--labels={path}" for path in folder.labels] + [f"--embeddings={path}" for path in folder.embeddings]
    written = call(folder, tmp_path, "solubility", *shards, "--settings", settings)
    assert all(path.exists() for path in written)
    assert len(pd.read_csv(written[1])) == 2


def test_contact_without_coevolution(folder, tmp_path):
    settings = ContactExperiment(epochs=2).model_dump_json()
    shards = [f"--targets={path}" for path in folder.targets]
    assert all(path.exists() for path in call(folder, tmp_path, "contact", *shards, "--settings", settings))
