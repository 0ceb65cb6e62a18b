"""The page in a real browser: its 3D view draws, its console is silent, and it asks the network for nothing."""

import base64
import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from foldgraft.report.settings import ReportSettings
from foldgraft.report.whole import page

LOOK = """<script>
window.addEventListener("load", () => setTimeout(() => {
  const box = document.querySelector(".live canvas").getBoundingClientRect();
  const seen = document.createElement("output");
  seen.id = "seen";
  seen.dataset.size = `${box.width} ${box.height}`;
  seen.dataset.png = viewer_foldgraft.pngURI();
  document.body.append(seen);
}, 2000));
</script>"""
"""Added to a copy of the page: what the canvas of the 3D view shows, put where the test can read it."""

HARMLESS = "GL Driver Message"
OWN = re.compile(r"^https?://[a-z0-9.]+\.(google|googleapis)\.com/")
"""What Chromium itself asks for, whatever the page."""


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requested: set[str]


def visit(chromium: str, html: Path, folder: Path) -> Visit:
    """Open a page in headless Chromium."""
    log = folder / "net.json"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    flags += ["--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--enable-logging=stderr"]
    command = [chromium, *flags, "--virtual-time-budget=8000", "--dump-dom", html.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line and HARMLESS not in line]
    found = re.findall(r'"url":"((?:https?|wss?|ftp):[^"]*)"', log.read_text(errors="replace"))
    return Visit(done.stdout, console, {url for url in found if not OWN.search(url)})


@pytest.fixture(scope="module")
def visited(program, run_folder, viewer, tmp_path_factory) -> Visit:
    folder = tmp_path_factory.mktemp("browser")
    text = page(run_folder, viewer, ReportSettings())
    assert text.count("</body>") == 1
    (folder / "index.html").write_text(text.replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    return visit(program("chromium"), folder / "index.html", folder)


@pytest.mark.timeout(180)
def test_the_3d_view_draws_a_protein_and_its_contacts(visited):
    seen = re.search(
        r'<output id="seen" data-size="([\d.]+) ([\d.]+)" data-png="data:image/png;base64,([^"]+)"', visited.dom
    )
    assert seen, "the 3D view has no canvas"
    assert float(seen[1]) > 400
    assert float(seen[2]) > 300
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(seen[3])), format="png")[..., :3]
    coloured = np.ptp(image, axis=2) > 0.2
    assert 0.01 < coloured.mean() < 0.9
    hues = np.unique((image[coloured] > 0.5).astype(int), axis=0)
    assert len(hues) >= 4  # a chain coloured from blue to red


def test_the_console_is_silent(visited):
    assert visited.console == []


def test_the_network_is_left_alone(visited):
    assert visited.requested == set()


def test_an_error_would_have_been_seen(program, tmp_path):
    html = "<script>fetch('https://example.invalid/x'); undefined_function()</script>"
    (tmp_path / "index.html").write_text(html)
    found = visit(program("chromium"), tmp_path / "index.html", tmp_path)
    assert any("undefined_function" in line for line in found.console)
    assert any("example.invalid" in url for url in found.requested)


MEASURE = """<script>
window.addEventListener("load", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const out = [...document.querySelectorAll("td, svg, figcaption")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.left < 0 || box.right > innerWidth + 1);
  });
  const verdicts = [...document.querySelectorAll('td[data-label="verdict"]')];
  const seen = verdicts.filter((one) => one.getBoundingClientRect().width > 0).length;
  parent.postMessage(`${innerWidth} ${document.documentElement.scrollWidth} ${out.length} ${seen}`, "*");
});
</script>"""
"""Added to a copy of the page: its width, its content's, how much lies outside, and how many verdicts are seen."""

LISTEN = """<body><output id="told"></output>
<iframe src="index.html" style="border:0;width:{width}px;height:900px"></iframe>
<script>
addEventListener("message", (event) => {{ document.getElementById("told").textContent = event.data; }});
</script>
"""


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_no_column_and_no_figure_is_out_of_sight(program, run_folder, tmp_path, width):
    text = page(run_folder, None, ReportSettings())
    (tmp_path / "index.html").write_text(text.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    (tmp_path / "outer.html").write_text(LISTEN.format(width=width))
    found = visit(program("chromium"), tmp_path / "outer.html", tmp_path)
    told = re.search(r'<output id="told">(\d+) (\d+) (\d+) (\d+)</output>', found.dom)
    assert told, "the page did not load"
    inner, content, outside, verdicts = map(int, told.groups())
    assert inner == width
    assert content <= width
    assert outside == 0
    assert verdicts >= 10
