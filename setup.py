"""Puts the workflow, its configurations and its environments into the wheel; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithWorkflow(build_py):
    """Copies them to `foldgraft/shipped`; an editable install uses those of the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib) / "foldgraft/shipped"
            for name in ("workflow", "config", "envs"):
                shutil.copytree(name, shipped / name, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithWorkflow})
