"""What a trunk must be known by before its tensors can be read."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from foldgraft.errors import FoldgraftError

Family = Literal["ESM-2", "ESM-1b", "ESM C"]

LARGEST = 1 << 14
"""No size of a trunk is greater; keeps a damaged description from asking for all the memory there is."""


@dataclass(frozen=True)
class Architecture:
    """What determines the shapes of all tensors, and how they are used.

    Attributes
    ----------
    family
        which network: ESM-2; ESM-1b, of which ESM-1v is one; or ESM C.
    token_dropout
        ESM-2 and ESM-1b: whether the embeddings are scaled by the share of masked tokens.
    max_tokens
        ESM-1b: how many tokens at once have learned positions, a hard limit.
    norm_before
        ESM-1b: whether the embeddings are normalised before the first layer; those of ESM-1v are not.
    hidden
        ESM C: width inside a layer's transition.
    """

    layers: int
    width: int
    heads: int
    family: Family = "ESM-2"
    token_dropout: bool = True
    max_tokens: int | None = None
    norm_before: bool = False
    hidden: int | None = None

    def __post_init__(self):
        if self.family not in get_args(Family):
            raise FoldgraftError(f"there is no family {self.family!r}; known: {', '.join(get_args(Family))}")
        if (self.family == "ESM-1b") != (self.max_tokens is not None):
            raise FoldgraftError(f"max_tokens is for ESM-1b, and must be given there, not {self.max_tokens} for {self}")
        if (self.family == "ESM C") != (self.hidden is not None):
            raise FoldgraftError(f"hidden is for ESM C, and must be given there, not {self.hidden} for {self}")
        sizes = [self.layers, self.width, self.heads, self.max_tokens or 1, self.hidden or 1]
        if not all(type(size) is int and 0 < size <= LARGEST for size in sizes):
            raise FoldgraftError(f"the sizes of a trunk are whole numbers from 1 to {LARGEST}, not {self}")
        if self.width % self.heads or self.width // self.heads % 2:
            raise FoldgraftError(f"width {self.width} must be an even multiple of heads {self.heads}")

    @classmethod
    def read(cls, value: Any, where: str) -> "Architecture":
        """From the `architecture` of a description.

        Raises
        ------
        FoldgraftError
            naming `where` it is from, if it is none.
        """
        try:
            return cls(**value)
        except TypeError as error:
            raise FoldgraftError(f"{where}: architecture cannot be read ({error}); rerun the trunk stage") from None
        except FoldgraftError as error:
            raise FoldgraftError(f"{where}: {error}") from None

    def as_dict(self) -> dict[str, Any]:
        """For a description; what the family does not have is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}
