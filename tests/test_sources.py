"""Which source files a stage depends on."""

import subprocess
import sys

from foldgraft.sources import PACKAGE, stage_sources


def names(stage):
    return {str(path.relative_to(PACKAGE)) for path in stage_sources(stage)}


def test_a_stage_depends_on_itself_and_on_what_it_imports():
    assert {"curate/command.py", "records/chains.py", "residues.py", "records/tables.py"} <= names("curate")


def test_presentation_and_other_stages_are_in_nobodys_list():
    for stage in ("curate", "train", "targets"):
        assert not names(stage) & {"progress.py", "errors.py", "cli.py", "config.py", "plan.py"}
        assert not any(name.startswith("report/") for name in names(stage))


def test_the_list_holds_every_module_that_is_really_imported():
    """Imports seen by Python itself, in a fresh interpreter, are all in the list."""
    program = (
        "import sys, foldgraft.targets.command\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.startswith('foldgraft.') and m.__file__], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    listed = {str(path) for path in stage_sources("targets")}
    allowed = {str(PACKAGE / name) for name in ("errors.py", "progress.py", "__init__.py")}
    assert set(done.stdout.split()) <= listed | allowed
