"""Which source files a command depends on."""

import ast
import subprocess
import sys

import pytest

from foldgraft.sources import IMPORT, PACKAGE, command_sources


def names(*command):
    return {str(path.relative_to(PACKAGE)) for path in command_sources(*command)}


def test_a_command_depends_on_its_file_and_on_what_its_function_names():
    found = names("curate", "shard")
    assert {"curate/command.py", "records/chains.py", "residues.py", "records/tables.py"} <= found
    assert "curate/summary.py" in names("curate", "summary") - found


def test_presentation_and_other_stages_are_in_nobodys_list():
    for command in (("curate", "shard"), ("train", "experiment"), ("targets", "shard")):
        assert not names(*command) & {"progress.py", "errors.py", "cli.py", "config.py", "plan.py"}
        assert not any(name.startswith("report/") for name in names(*command))


def test_what_a_checkpoint_is_said_to_be_converts_none_again():
    assert "trunk/sheet.py" in names("trunk", "show") - names("trunk", "convert") - names("trunk", "pretrain")


def test_templates_belong_to_their_stage():
    assert any(name.startswith("report/templates/") for name in names("report", "render"))


def test_scripts_and_styles_belong_to_the_modules_beside_them():
    scripts = {"viewer/molecule.js", "viewer/tools.js", "viewer/viewer.css"}
    assert scripts <= names("report", "render") and not scripts & names("train", "experiment")


def test_a_command_that_is_not_there_is_none():
    with pytest.raises(KeyError):
        command_sources("curate", "shards")


def test_the_list_holds_every_module_that_is_really_imported():
    """Imports seen by Python itself, in a fresh interpreter, are all in the list."""
    program = (
        "import sys, foldgraft.targets.command\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.startswith('foldgraft.') and m.__file__], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    listed = {str(path) for path in command_sources("targets", "shard")}
    allowed = {str(PACKAGE / name) for name in ("errors.py", "progress.py", "__init__.py")}
    assert set(done.stdout.split()) <= listed | allowed


def test_the_imports_that_are_found_by_their_lines_are_those_of_the_syntax_tree():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        whole, lines = ast.parse(text), ast.parse("\n".join(IMPORT.findall(text)))
        found[path] = [imported(tree) for tree in (lines, whole)]
    assert len(found) > 200 and sum(len(lines) for lines, _ in found.values()) > 1000
    assert [path for path, (lines, whole) in found.items() if lines != whole] == []


def imported(tree):
    """What a module imports of the package, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "foldgraft":
            names |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.partition(".")[0] == "foldgraft"}
    return names
