"""Pages in a real browser."""

import base64
import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np

HARMLESS = "GL Driver Message"
OWN = re.compile(r"^https?://[a-z0-9.-]+\.(google|googleapis)\.com/")
"""What Chromium itself asks for, whatever the page."""


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requested: set[str]


def visit(chromium: str, address: Path, folder: Path) -> Visit:
    """Open a page in headless Chromium."""
    log = folder / "net.json"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    flags += ["--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--enable-logging=stderr"]
    command = [chromium, *flags, "--virtual-time-budget=20000", "--dump-dom", address.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line and HARMLESS not in line]
    found = re.findall(r'"url":"((?:https?|wss?|ftp):[^"]*)"', log.read_text(errors="replace"))
    return Visit(done.stdout, console, {url for url in found if not OWN.search(url)})


def picture(uri: str) -> np.ndarray:
    """A PNG data URI as an array, shape (H, W, 3), or with transparency (H, W, 4), from 0 to 1."""
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return matplotlib.image.imread(io.BytesIO(content), format="png")
