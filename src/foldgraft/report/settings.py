"""Settings of the report stage."""

from pydantic import Field

from foldgraft.settings import Settings


class ToolSettings(Settings):
    """A figure of another tool, for a model card."""

    name: str
    """Name of the tool."""
    metric: str
    """What was measured."""
    value: str
    """The figure, as its source gives it."""
    source: str
    """Where the figure is from, and on which proteins it was measured."""


class CardSettings(Settings):
    """What a model card says beside the run's own figures."""

    summary: str
    """What the head predicts, and for whom."""
    data: str
    """Where the labels come from, and how they were measured."""
    licence: str
    """Under which terms data, trunk and head may be used."""
    command: str
    """The command that makes the head anew."""
    limits: tuple[str, ...] = Field(min_length=1)
    """What the head cannot know, a sentence each."""
    tools: tuple[ToolSettings, ...] = ()
    """Figures of other tools."""


class ReportSettings(Settings):
    """What the report shows."""

    title: str = Field(default="Foldgraft report", min_length=1, max_length=120)
    """Title of the page."""
    examples: int = Field(default=3, ge=1, le=12)
    """Number of test proteins that are shown from all sides, from the best predicted to the worst."""
    proteins: tuple[str, ...] = Field(default=(), max_length=12)
    """Ids of further chains to show beside them, such as `1ubq_A`."""
    cards: dict[str, CardSettings] = Field(default_factory=dict)
    """Model cards to write, `report/<experiment>.md`, by the experiments that they are of: each of one task, on
    the frozen trunk."""
