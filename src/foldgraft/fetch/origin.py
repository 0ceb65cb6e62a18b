"""What every function of the stage needs to know: where things come from, where they are kept, and by which rules."""

from dataclasses import dataclass, field
from pathlib import Path

from foldgraft.fetch.replay import Replay
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store


@dataclass(frozen=True)
class Origin:
    """Where to fetch from.

    Attributes
    ----------
    data : Path
        folder that relative input paths start from.
    store : Store
    settings : FetchSettings
    replay : Path, optional
        whole lock of an earlier run, to do again what it says; then nothing is read but the store.
    """

    data: Path
    store: Store
    settings: FetchSettings = field(default_factory=FetchSettings)
    replay: Path | None = None

    @property
    def earlier(self) -> Replay | None:
        """The run that is replayed, if any."""
        return Replay(self.replay, self.store.root) if self.replay else None
