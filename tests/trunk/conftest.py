"""Checkpoints in fair-esm's format, made of random weights."""

import argparse
from pathlib import Path

import esm
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def fair_model():
    """fair-esm's own class, with random weights."""
    torch.manual_seed(0)
    return esm.ESM2(num_layers=2, embed_dim=24, attention_heads=4).eval()


@pytest.fixture(scope="session")
def fair_files(fair_model, tmp_path_factory) -> tuple[Path, Path]:
    """A checkpoint and its contact regression, as fair-esm distributes them."""
    path = tmp_path_factory.mktemp("fair") / "esm2_t6_8M_UR50D.pt"
    tensors, regression = {}, {}
    for name, tensor in fair_model.state_dict().items():
        if name.startswith("contact_head"):
            regression[name] = tensor
        else:
            prefix = "encoder." if name.startswith("lm_head") else "encoder.sentence_encoder."
            tensors[prefix + name] = tensor
    config = argparse.Namespace(
        encoder_layers=2, encoder_embed_dim=24, encoder_attention_heads=4, token_dropout=True, arch="esm2"
    )
    torch.save({"cfg": {"model": config}, "model": tensors}, path)
    beside = path.with_name("esm2_t6_8M_UR50D-contact-regression.pt")
    torch.save({"model": regression}, beside)
    return path, beside
