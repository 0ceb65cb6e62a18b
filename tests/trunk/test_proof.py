"""The proof against fair-esm's own network passes, and it fails where the network computes something else."""

import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import esm2
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.trunk.checkpoint import write_trunk
from foldgraft.trunk.proof import prove

ARCHITECTURES = {
    "ESM-2": Architecture(2, 24, 4),
    "ESM-1b": Architecture(2, 24, 4, family="ESM-1b", max_tokens=80, norm_before=True),
    "ESM-1v": Architecture(2, 24, 4, family="ESM-1b", max_tokens=30),
}


def network_of(kind: str, language: bool = True, contacts: bool = True):
    torch.manual_seed(0)
    return build_network(ARCHITECTURES[kind], language, contacts).eval()


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize(("language", "contacts"), [(True, True), (False, True), (True, False)])
def test_each_architecture_with_the_heads_that_it_has(kind, language, contacts):
    proof = prove(network_of(kind, language, contacts), kind)
    assert proof["against"] == "fair-esm 2.0.0" and proof["tolerance"] == 1e-4
    assert 0 < proof["representations"] < 1e-4
    assert proof["logits"] is None if not language else 0 < proof["logits"] < 1e-4
    assert proof["contacts"] is None if not contacts else 0 < proof["contacts"] < 1e-4


def test_there_is_none_for_esm_c():
    shape = Architecture(1, 16, 2, family="ESM C", hidden=16, token_dropout=False)
    assert prove(build_network(shape), "esmc") is None


def broken(network, monkeypatch, what: str) -> None:
    if what == "dropout":
        monkeypatch.setattr(esm2, "MASKED_IN_TRAINING", 0.13)
    elif what == "frequencies":
        rounded = network.inv_freq.half().float()
        monkeypatch.setattr(network, "rotary", lambda length: esm2.turns(rounded, length)[:, None, None])
    elif what == "scores":
        score = network.score
        monkeypatch.setattr(network, "score", lambda x: score(x) + 2e-4)
    else:
        monkeypatch.setattr("foldgraft.models.trunk.trunk.pair_features", lambda maps, i, j: maps[:, i, j])


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("dropout", "representations"),
        ("frequencies", "(representations|logits)"),
        ("scores", "logits"),
        ("pair features", "contacts"),
    ],
)
def test_a_network_that_computes_something_else_is_not_written(tmp_path, monkeypatch, what, named):
    network = network_of("ESM-2")
    with torch.no_grad():
        for layer in network.layers:
            layer.self_attn.q_proj.weight *= 8  # so that places matter
        network.contact_head.regression.weight *= 20
    broken(network, monkeypatch, what)
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    with pytest.raises(FoldgraftError, match=rf"trunk small: its {named} differ from those of fair-esm's own network"):
        write_trunk(weights, description, network, "small", {})
    assert not weights.exists() and not description.exists()
