"""Download of models from the Hugging Face hub, or a mirror of it, by plain addresses."""

from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.trunk.download import AbsentError, bring
from foldgraft.trunk.locate import CONFIG, INDEX, WEIGHTS, shard_names
from foldgraft.trunk.settings import HUB

SMALL = 2**24
"""Most bytes of a file that holds no tensors."""
VOCABULARY = "vocab.txt"


def download_hub(name: str, folder: Path, hub: str) -> Path:
    """The folder of a model; what is in it already is not fetched again.

    Parameters
    ----------
    name : str
        of the model, one of `HUB`.
    folder : Path
        where models are kept, in folders of their names, to be shared by all runs.
    hub : str
        address below which `<name>/resolve/main/` stands.

    Raises
    ------
    FoldgraftError
        if a file cannot be had, saying which to put where by hand.
    """
    kept, base = folder / name, f"{hub.rstrip('/')}/{name}/resolve/main"
    by_hand = (
        f"where there is a network, fetch {CONFIG}, {VOCABULARY} and the weights (one of {', '.join(WEIGHTS)}, "
        f"with all parts that an index names) from {base}, put them into {kept.resolve()}, and run again"
    )
    bring(kept / CONFIG, f"{base}/{CONFIG}", SMALL, by_hand)
    bring(kept / VOCABULARY, f"{base}/{VOCABULARY}", SMALL, by_hand)
    weights = next((kept / file for file in WEIGHTS if (kept / file).is_file()), None)
    if weights is None:
        weights = _first(kept, base, HUB[name], by_hand)
    if weights.name.endswith(INDEX):
        for shard in shard_names(weights):
            bring(kept / shard, f"{base}/{shard}", HUB[name], by_hand)
    return kept


def _first(kept: Path, base: str, limit: int, by_hand: str) -> Path:
    """The first of the files of weights that the hub has, or the index of its parts."""
    for file in WEIGHTS:
        try:
            bring(kept / file, f"{base}/{file}", SMALL if file.endswith(INDEX) else limit, by_hand)
        except AbsentError:
            continue
        return kept / file
    raise FoldgraftError(f"trunk: {base} has none of {', '.join(WEIGHTS)}; {by_hand}")
