"""Bring the pinned 3Dmol.js to a file, so that reports draw their 3D views without a network.

The npm client is asked first, then the address that py3Dmol itself names; either way the bytes must have the sha256
below. Usage: python envs/viewer.py resources/3Dmol-min.js
"""

import hashlib
import inspect
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import py3Dmol

VERSION = "2.5.5"
SHA256 = "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016"
LIMIT = 4_000_000  # bytes


def from_npm() -> bytes:
    """The script out of the npm package."""
    npm = shutil.which("npm")
    if not npm:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"3dmol@{VERSION}", "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            member = package.extractfile("package/build/3Dmol-min.js")
            return member.read(LIMIT)


def from_web() -> bytes:
    """The script from the address that py3Dmol loads it from."""
    address = re.search(r"https://\S+?3Dmol-min\.js", inspect.getsource(py3Dmol))
    if not address:
        raise OSError("py3Dmol names no address")
    with httpx.stream("GET", address.group(), follow_redirects=True, timeout=60) as answer:
        answer.raise_for_status()
        content = b""
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > LIMIT:
                raise OSError(f"more than {LIMIT} bytes")
        return content


def bring(path: Path, sources: list[Callable[[], bytes]]) -> None:
    """Write the script from the first source that has the right one; leave with a sentence if none has."""
    problems = []
    for source in sources:
        try:
            content = source()
        except (OSError, subprocess.SubprocessError, httpx.HTTPError, tarfile.TarError, KeyError) as error:
            problems.append(f"{source.__name__}: {error}")
            continue
        if hashlib.sha256(content).hexdigest() == SHA256:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return
        problems.append(f"{source.__name__}: its sha256 is not {SHA256}")
    sys.exit(
        "3Dmol.js could not be had, so reports will show a still picture in place of the 3D view. To mend it, put "
        f"build/3Dmol-min.js of the npm package 3dmol {VERSION} at {path}. ({'; '.join(problems)})"
    )


if __name__ == "__main__":
    bring(Path(sys.argv[1]), [from_npm, from_web])
