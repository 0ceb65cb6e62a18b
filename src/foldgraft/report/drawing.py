"""How figures look, and how they become part of the page."""

import base64
import io
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY, INK = "#8b949e", "#1c2530"
SERIES = (BLUE, RED, GREEN, PURPLE, SKY, ORANGE)
"""Okabe and Ito's colours, which colour-blind readers can tell apart (jfly.uni-koeln.de/color)."""

INKS = {INK: "ink", "#57636f": "soft", "#e6eaee": "grid", "#c5ccd3": "faint"}
"""Variables of the page's style sheet by the colour that they have on white paper."""

STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.edgecolor": "#57636f",
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaee",
    "grid.linewidth": 0.7,
    "xtick.color": "#57636f",
    "ytick.color": "#57636f",
    "text.color": INK,
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "image.interpolation": "nearest",
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
}

DPI = 130  # of rasterised parts


def styled() -> AbstractContextManager[None]:
    """Within it, figures look as `STYLE` says."""
    return matplotlib.rc_context(STYLE)


def log_axis(axis: Axis) -> None:
    """A logarithmic axis with plain numbers at 1, 2, 5, 10 and so on."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def canvas(
    width: float, height: float, columns: int = 1, rows: int = 1, **options: object
) -> tuple[Canvas, list[Axes]]:
    """A figure of that many inches and its axes, row by row."""
    figure = Canvas(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.ravel())


def svg(figure: Canvas, name: str) -> Markup:
    """The figure as inline SVG; the same figure always gives the same text.

    matplotlib escapes the text it draws. `name` keeps the ids of one figure apart from those of the next.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None}, facecolor="none")
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(?<=style=")[^"]*', _themed, text)
    used = set(re.findall(r"""#([^)"']+)""", text))  # ids that something refers to; the others would clash
    text = re.sub(r' id="([^"]*)"', lambda match: match.group() if match.group(1) in used else "", text)
    return Markup(text)


def _themed(style: re.Match[str]) -> str:
    """A style whose inks follow the page, so that a figure can be read on dark paper too."""
    css = style.group()
    for colour, name in INKS.items():
        css = css.replace(colour, f"var(--{name}, {colour})")
    return css


def panels(pictures: Iterable[Markup]) -> Markup:
    """Pictures side by side, one below the other on a narrow page."""
    return Markup('<div class="panels">{}</div>').format(
        Markup("").join(Markup("<div>{}</div>").format(picture) for picture in pictures)
    )


def png(figure: Canvas) -> str:
    """The figure as a PNG data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def colours(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and line style by name: experiments in colour, baselines in grey and dashed."""
    styles, dashes = {}, iter(("--", ":", "-.", (0, (5, 1, 1, 1))))
    series = iter(SERIES * 8)
    for name in names:
        styles[name] = (GREY, next(dashes, "--")) if name.startswith("baseline_") else (next(series), "-")
    return styles


def number(value: float, digits: int = 3) -> str:
    """A number for the reader; `undefined` for NaN."""
    if value is None or not np.isfinite(value):
        return "undefined"
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign."""
    return number(value, digits) if not np.isfinite(value) or value < 0 else f"+{number(value, digits)}"


def span(low: float, high: float, digits: int = 3) -> str:
    """An interval; empty if it is undefined."""
    return f"[{number(low, digits)},\u00a0{number(high, digits)}]" if np.isfinite(low) and np.isfinite(high) else ""


def count(value: float) -> str:
    """A count with thousands set apart."""
    return f"{int(value):,}"


def plural(number: float, one: str, many: str = "") -> str:
    """The noun that goes with a number: `one`, or `many`, by default `one` with an s."""
    return one if number == 1 else many or f"{one}s"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"
