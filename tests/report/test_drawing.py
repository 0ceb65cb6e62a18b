"""Figures on the page, and numbers in words."""

import numpy as np
import pytest

from foldgraft.report import drawing


def drawn(title: str, name: str = "figure") -> str:
    with drawing.styled():
        figure, (axes,) = drawing.canvas(3, 2)
        axes.plot([1, 2, 3])
        axes.imshow(np.eye(3))
        axes.set_title(title)
        return drawing.svg(figure, name)


def test_text_in_a_figure_is_escaped_and_not_read_as_formula():
    text = drawn("<script>alert(1)</script> $x_1")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "$x_1" in text


def test_a_figure_is_the_same_each_time_and_holds_no_date():
    assert drawn("a") == drawn("a")
    assert "date" not in drawn("a").lower()
    assert "http://" not in drawn("a").replace("http://www.w3.org/", "")


def test_heat_maps_lie_within_the_figure():
    assert "data:image/png;base64," in drawn("a")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (drawing.number(0.12345), "0.123"),
        (drawing.number(-0.5, 1), "−0.5"),
        (drawing.number(float("nan")), "undefined"),
        (drawing.signed(0.25, 2), "+0.25"),
        (drawing.signed(-0.25, 2), "−0.25"),
        (drawing.span(0.1, 0.2, 1), "[0.1,\u00a00.2]"),
        (drawing.span(float("nan"), 0.2), ""),
        (drawing.count(1234567), "1,234,567"),
        (drawing.share(1, 3), "33 %"),
        (drawing.share(0, 0), "0 %"),
    ],
)
def test_numbers_in_words(said, expected):
    assert said == expected


def test_baselines_are_grey_and_dashed():
    looks = drawing.colours(["a", "baseline_x", "b", "baseline_y"])
    assert looks["a"][1] == looks["b"][1] == "-"
    assert looks["a"][0] != looks["b"][0]
    assert looks["baseline_x"][0] == looks["baseline_y"][0] == drawing.GREY
    assert looks["baseline_x"][1] != looks["baseline_y"][1]
