"""Where the trunk comes from: a published ESM-2, a local file, or a pretraining on the run's own sequences."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from foldgraft.settings import Settings
from foldgraft.trunk.pretraining.settings import PretrainSettings

DEFAULT_MODEL = "esm2_t6_8M_UR50D"
SIZES = {
    "esm2_t6_8M_UR50D": 2**26,
    "esm2_t12_35M_UR50D": 2**28,
    "esm2_t30_150M_UR50D": 2**30,
    "esm2_t33_650M_UR50D": 2**32,
    "esm2_t36_3B_UR50D": 2**34,
    "esm2_t48_15B_UR50D": 2**37,
}
HUB = {f"facebook/{name}": size for name, size in SIZES.items()}
"""The models of the Hugging Face hub that can be had by name, and the most bytes that each file may have."""
PUBLISHED = {
    **SIZES,
    "esm1b_t33_650M_UR50S": 2**33,
    **{f"esm1v_t33_650M_UR90S_{number}": 2**33 for number in range(1, 6)},
    **HUB,
}
"""All models that can be downloaded by name, and the most bytes that each file may have."""


class TrunkSettings(Settings):
    """The language-model trunk: one of `model`, `checkpoint` and `pretrain`."""

    model: str | None = None
    """Name of an ESM-2, ESM-1b or ESM-1v model of fair-esm, or facebook/esm2_... of the Hugging Face hub, downloaded
    once. Without `model`, `checkpoint` and `pretrain` the checkpoint in `resources/` is taken, if one is there, else
    esm2_t6_8M_UR50D; where several files and the command line name different ones of the three, the last counts."""
    checkpoint: Path | None = None
    """A checkpoint on disk: a Hugging Face folder of an ESM-2, ESM-1b, ESM-1v or ESM C (config.json and safetensors,
    shards or pytorch_model.bin), or a file of it; a fair-esm file (.pt, its -contact-regression.pt beside it if there
    is one); a file of ESM C's first release (.pth); or a trunk of Foldgraft (model.safetensors and trunk.json)."""
    adapter: Path | None = None
    """Folder of a PEFT adapter (LoRA: adapter_config.json, adapter_model.safetensors) to be merged into `model` or
    `checkpoint`."""
    pretrain: PretrainSettings | None = None
    """Pretrain a small trunk instead, on the run's sequences or on text files."""
    url: str = Field("https://dl.fbaipublicfiles.com/fair-esm", pattern=r"^https?://")
    """Where models/<name>.pt and regression/<name>-contact-regression.pt are; change it for a mirror."""
    hub: str = Field("https://huggingface.co", pattern=r"^https?://")
    """Where facebook/<name>/resolve/main/config.json is, and the weights beside it; change it for a mirror."""

    @model_validator(mode="before")
    @classmethod
    def _default(cls, given: Any) -> Any:
        if isinstance(given, dict) and all(given.get(key) is None for key in ("model", "checkpoint", "pretrain")):
            return {**given, "model": DEFAULT_MODEL}
        return given

    @field_validator("model")
    @classmethod
    def _published(cls, name: str | None) -> str | None:
        if name is not None and name not in PUBLISHED:
            known = ", ".join(PUBLISHED)
            hint = "an ESM-1 cannot be a trunk" if name.startswith("esm1_") else "unknown"
            raise ValueError(f"{hint}; may be one of {known}")
        return name

    @model_validator(mode="after")
    def _one(self) -> "TrunkSettings":
        given = [key for key in ("model", "checkpoint", "pretrain") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"only one of model, checkpoint and pretrain may be given, not {' and '.join(given)}")
        if self.adapter and self.pretrain:
            raise ValueError("adapter goes with model or checkpoint, not with pretrain")
        return self

    @property
    def source(self) -> Literal["model", "checkpoint", "pretrain"]:
        """Which of the three ways is taken."""
        return "model" if self.model else "checkpoint" if self.checkpoint else "pretrain"

    @property
    def published(self) -> str | None:
        """The model to download: the trunk itself, or what its pretraining goes on from."""
        start = self.pretrain.start if self.pretrain else None
        return self.model or (start if start in PUBLISHED else None)

    @property
    def local(self) -> Path | None:
        """The checkpoint to convert: the trunk itself, or what its pretraining goes on from."""
        start = self.pretrain.start if self.pretrain else None
        return self.checkpoint or (Path(start) if start and start not in PUBLISHED else None)
