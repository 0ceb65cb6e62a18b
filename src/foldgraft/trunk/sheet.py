"""What a trunk is, on a page of text."""

from collections.abc import Iterator
from typing import Any

SHOWN = 4
"""Numbers of each row of a fingerprint that are printed."""


def sheet(about: dict[str, Any]) -> Iterator[str]:
    """Lines that say what a description says.

    Parameters
    ----------
    about : dict
        a description, as `trunk.json` holds it.
    """
    rows = [*_origin(about), *_shape(about), *_behaviour(about)]
    longest = max(len(key) for key, _ in rows)
    yield from (f"{key:{longest}}  {value}" for key, value in rows)


def _origin(about: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "name", about["name"]
    yield "layout", about["source"]["layout"]
    for name, digest in about["source"]["files"].items():
        yield "file", f"{name}, sha256 {digest}"
    adapter = about.get("adapter") or {"left_out": {}}
    if "name" in adapter:
        yield "adapter", f"{adapter['name']}, merged into {adapter['matrices']} matrices"
    for name, why in (about.get("left_out", {}) | adapter["left_out"]).items():
        yield "left out", f"{name}: {why}"


def _shape(about: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in about["architecture"].items():
        yield f"architecture, {key.replace('_', ' ')}", value
    yield "parameters", f"{about['parameters']:,}"
    yield "language head", "yes" if about["language_head"] else "none"
    yield "contact regression", "yes" if about["contact_regression"] else "none"


def _behaviour(about: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if proof := about["proof"]:
        for what in ("representations", "logits", "contacts"):
            if proof[what] is not None:
                yield f"{what}, apart from {proof['against']}", f"{proof[what]:.1e}"
    for number, row in enumerate(about["fingerprint"], start=1):
        values = " ".join(f"{value:.4f}" for value in row[:SHOWN])
        yield f"fingerprint, row {number}", f"{values} ... ({len(row)} numbers)"
