"""What the README shows is what the software takes."""

import re

import yaml

from foldgraft.config import load


def test_every_configuration_that_the_readme_shows_loads(root):
    blocks = re.findall(r"```yaml\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    whole = [values for values in map(yaml.safe_load, blocks) if "experiments" in values]
    assert whole
    for values in whole:
        config = load(values)
        assert all(config.tasks(name) for name in config.experiments)
