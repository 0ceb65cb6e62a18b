"""What the README shows is what the software takes, and what CONTRIBUTING.md names is there."""

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


def test_every_way_in_is_held_by_a_test_that_exists(root):
    table = (root / "CONTRIBUTING.md").read_text().partition("## Ways in")[2]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| way in")]
    named = re.findall(r"^\| .+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", "\n".join(rows), re.M)
    assert len(named) == len(rows) > 20
    for path, test in named:
        assert f"\ndef {test}(" in (root / path).read_text(), f"{path} has no {test}"
