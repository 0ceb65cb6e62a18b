"""Settings of the report stage."""

from pydantic import Field

from foldgraft.settings import Settings


class ReportSettings(Settings):
    """What the report shows."""

    title: str = Field(default="Foldgraft report", min_length=1, max_length=120)
    """Title of the page."""
    examples: int = Field(default=3, ge=1, le=12)
    """Number of test proteins whose contact maps are shown, from the best predicted to the worst."""
