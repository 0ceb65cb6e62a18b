"""Training a part of the trunk: what is trained, what is shared, and that others read the adapters."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import TrunkPart, Widths, build_tuned
from foldgraft.models.heads.settings import (
    Last,
    LinearSettings,
    LogisticSettings,
    Lora,
    LoraSettings,
    MLPSettings,
    ResidualSettings,
)
from foldgraft.models.heads.tuned import adapter_config, depths, load_trained, trained_state
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.tasks.sequences import trunk_tokens
from foldgraft.train.optimizers import build_optimizer
from foldgraft.train.settings import Training
from foldgraft.trunk.adapter import merge
from foldgraft.trunk.locate import Located

SEQUENCES = ["MKTAYIAKQRQISFVKSHFSRQ", "GSHMLEDPVDAFWWKRTCYNLLEAAM"]
LORA = Lora(lora=LoraSettings(rank=4, alpha=8.0))


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return Trunk(build_network(Architecture(layers=3, width=24, heads=3)), "small", "0" * 64, torch.device("cpu"))


def inputs():
    return trunk_tokens([alphabet.encode(sequence) for sequence in SEQUENCES])


def head(trunk, unfreeze, layers=(1, 3), settings=LinearSettings(), level="protein"):
    torch.manual_seed(1)
    return build_tuned(level, settings, TrunkPart(trunk.network, layers, unfreeze), [1])


@pytest.mark.parametrize("unfreeze", [Last(last=1), "all", LORA])
def test_untrained_it_reads_what_the_frozen_trunk_gives(trunk, unfreeze):
    pooled = np.stack([e.pooled[[0, 2]].ravel() for e in trunk.embed_layers(SEQUENCES)])
    found = head(trunk, unfreeze).body.embeddings(*inputs())
    assert torch.allclose(found, torch.from_numpy(pooled), atol=1e-4)
    residues = [e.residues.reshape(-1, 48) for e in trunk.embed_layers(SEQUENCES, (1, 3))]
    by_residue = head(trunk, unfreeze, level="residue").body.embeddings(*inputs())
    assert torch.allclose(by_residue[inputs()[1]], torch.from_numpy(np.concatenate(residues)), atol=1e-4)


@pytest.mark.parametrize(
    ("unfreeze", "trained"),
    [
        (Last(last=1), {"layers.2", "emb_layer_norm_after"}),
        (Last(last=3), {"layers.0", "layers.1", "layers.2", "emb_layer_norm_after"}),
        (LORA, {"layers.0", "layers.1", "layers.2"}),
        ("all", {"embed_tokens", "layers.0", "layers.1", "layers.2", "emb_layer_norm_after"}),
    ],
)
def test_what_is_asked_for_is_trained_and_the_trunk_stays(trunk, unfreeze, trained):
    before = trunk.state_sha256()
    tuned = head(trunk, unfreeze, layers=(3,), settings=MLPSettings(hidden=4, dropout=0.0))
    names = {".".join(n.partition(".network.")[2].split(".")[: 2 if "layers" in n else 1])
             for n, _, depth in depths(tuned) if depth is not None}  # fmt: skip
    assert names == trained
    frozen = {p.data_ptr() for p in tuned.parameters() if not p.requires_grad}
    assert frozen <= {p.data_ptr() for p in trunk.network.parameters()}  # shared, not copied
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=0.1)
    start, first = {n: p.clone() for n, p, _ in depths(tuned)}, tuned(inputs())[0]
    for _ in range(3):
        optimizer.zero_grad()
        tuned(inputs())[0].square().sum().backward()
        optimizer.step()
    assert not torch.allclose(tuned(inputs())[0], first)
    moved = [n for n, p, depth in depths(tuned) if depth is not None and not torch.equal(p, start[n])]
    assert len(moved) > 0.6 * sum(depth is not None for _, _, depth in depths(tuned))
    assert trunk.state_sha256() == before and not any(p.requires_grad for p in trunk.network.parameters())


@pytest.mark.parametrize("unfreeze", [Last(last=2), LORA, "all"])
def test_what_was_trained_is_taken_over(trunk, unfreeze):
    one, other = head(trunk, unfreeze), head(trunk, unfreeze)
    with torch.no_grad():
        for _, parameter, _ in depths(one):
            parameter += 0.1 * torch.randn_like(parameter)
    state = {name: tensor.clone() for name, tensor in trained_state(one).items()}
    load_trained(other, state)
    assert torch.equal(one(inputs())[0], other(inputs())[0])
    with pytest.raises(RuntimeError, match="missing or superfluous"):
        load_trained(other, dict(list(state.items())[1:]))


@pytest.mark.parametrize(("family", "matrices"), [("ESM-2", 18), ("ESM C", 21)])
def test_an_adapter_merged_by_the_trunk_stage_computes_what_was_trained(tmp_path, family, matrices):
    """What is saved is LoRA by PEFT's names: merging it into the trunk's own matrices gives the same embeddings."""
    shape = Architecture(layers=3, width=24, heads=3, family=family, hidden=40 if family == "ESM C" else None)
    trunk = Trunk(build_network(shape), "small", "0" * 64, torch.device("cpu"))
    tuned = head(trunk, LORA)
    with torch.no_grad():
        for name, parameter, _ in depths(tuned):
            if "lora_" in name:
                parameter += 0.2 * torch.randn_like(parameter)
    save_file({n: t.contiguous() for n, t in tuned.body.adapter().items()}, tmp_path / "adapter_model.safetensors")
    config = adapter_config(LORA, "small", trunk.network)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    files = Located(
        name="tuned", weights=[tmp_path / "adapter_model.safetensors"], config=config,
        beside=[tmp_path / "adapter_config.json"],
    )  # fmt: skip
    merged, about = merge(trunk.network.state_dict(), trunk.network.architecture, files)
    assert (about["matrices"], about["rank"]) == (matrices, 4)
    network = build_network(trunk.network.architecture)
    network.load_state_dict(merged, strict=False)
    plain = Trunk(network, "merged", "1" * 64, torch.device("cpu"))
    pooled = np.stack([e.pooled[[0, 2]].ravel() for e in plain.embed_layers(SEQUENCES)])
    assert torch.allclose(tuned.body.embeddings(*inputs()), torch.from_numpy(pooled), atol=1e-4)


FIRST, SECOND = np.triu_indices(len(SEQUENCES[0]), 6)


def pair_head(trunk, unfreeze, layers=(), settings=LogisticSettings(), attention=True):
    torch.manual_seed(1)
    maps = trunk.layers * trunk.heads if attention else 0
    widths = Widths(maps + 1, len(layers) * trunk.width)
    return build_tuned(
        "pair", settings, TrunkPart(trunk.network, layers, unfreeze, pairs=widths, attention=attention), [1]
    )


def of_pairs(tuned, i=FIRST, j=SECOND):
    tokens = torch.from_numpy(alphabet.batch([alphabet.encode(SEQUENCES[0])]))
    return tuned.body.from_trunk(tokens, torch.from_numpy(i), torch.from_numpy(j))


@pytest.mark.parametrize("unfreeze", [Last(last=1), "all", LORA])
@pytest.mark.parametrize("family", ["ESM-2", "ESM C"])
def test_untrained_it_reads_the_attention_and_embeddings_of_the_frozen_trunk(family, unfreeze):
    shape = Architecture(layers=3, width=24, heads=3, family=family, hidden=40 if family == "ESM C" else None)
    torch.manual_seed(0)
    trunk = Trunk(build_network(shape), "small", "0" * 64, torch.device("cpu"))
    length = len(SEQUENCES[0])
    places = FIRST * length - FIRST * (FIRST + 1) // 2 + SECOND - FIRST - 1
    expected = torch.from_numpy(np.concatenate(list(trunk.attention(SEQUENCES[0], places))))
    (embedded,) = trunk.embed_layers(SEQUENCES[:1], (1, 3))
    both = pair_head(trunk, unfreeze, (1, 3), ResidualSettings(hidden=4, blocks=1, rank=2))
    maps, residues = of_pairs(both)
    assert torch.allclose(maps, expected, atol=1e-5)
    assert torch.allclose(residues, torch.from_numpy(embedded.residues.reshape(length, -1)), atol=1e-4)
    alone = pair_head(trunk, unfreeze, (3,), ResidualSettings(hidden=4, blocks=1, rank=2), attention=False)
    maps, residues = of_pairs(alone)
    assert maps.shape == (0, len(FIRST)) and torch.allclose(
        residues, torch.from_numpy(embedded.residues[:, 1]), atol=1e-4
    )
    swapped, _ = of_pairs(both, SECOND, FIRST)
    assert torch.allclose(swapped, expected, atol=1e-5)  # a map is symmetric


@pytest.mark.parametrize("unfreeze", [Last(last=1), "all", LORA])
def test_of_attention_all_that_it_depends_on_is_trained_and_nothing_else(trunk, unfreeze):
    """By hand: of the last layer the queries, the keys and the norm before them."""
    tuned = pair_head(trunk, unfreeze)
    maps, _ = of_pairs(tuned)
    maps.square().sum().backward()
    inside = {
        n.partition(".network.")[2]: p for n, p in tuned.named_parameters() if ".network." in n and p.requires_grad
    }
    assert inside and all(p.grad is not None for p in inside.values())
    last = {".".join(name.split(".")[2:4]) for name in inside if name.startswith("layers.2.")}
    norm = set() if unfreeze is LORA else {"self_attn_layer_norm.weight", "self_attn_layer_norm.bias"}
    assert last == {"self_attn.q_proj", "self_attn.k_proj"} | norm
    assert not any("norm_after" in name for name in inside)
    with_embeddings = pair_head(trunk, unfreeze, (3,), ResidualSettings(hidden=4, blocks=1, rank=2))
    names = {n.partition(".network.")[2] for n, p in with_embeddings.named_parameters() if p.requires_grad}
    assert {"layers.2.fc2"} <= {".".join(name.split(".")[:3]) for name in names}


def test_layers_below_all_that_would_be_trained_are_refused(trunk):
    with pytest.raises(FoldgraftError, match="unfreeze: nothing that is read of the trunk depends on"):
        pair_head(trunk, Last(last=1), (1,), ResidualSettings(hidden=4, blocks=1, rank=2), attention=False)


def test_the_slope_of_an_attention_feature_is_that_of_finite_differences(trunk):
    tuned = pair_head(trunk, Last(last=2))
    weight = tuned.body.network.layers[1].self_attn.q_proj.weight
    value = of_pairs(tuned)[0][:, ::5].double().square().sum()
    value.backward()
    flat = int(weight.grad.abs().argmax())
    place, step = np.unravel_index(flat, weight.shape), 1e-2

    def moved(by):
        with torch.no_grad():
            weight[place] += by
            found = float(of_pairs(tuned)[0][:, ::5].double().square().sum())
            weight[place] -= by
        return found

    assert (moved(step) - moved(-step)) / (2 * step) == pytest.approx(float(weight.grad[place]), rel=2e-2)


def test_an_adapter_of_pairs_merged_by_the_trunk_stage_gives_its_attention(tmp_path, trunk):
    tuned = pair_head(trunk, LORA)
    with torch.no_grad():
        for name, parameter, _ in depths(tuned):
            if "lora_" in name:
                parameter += 0.2 * torch.randn_like(parameter)
    save_file({n: t.contiguous() for n, t in tuned.body.adapter().items()}, tmp_path / "adapter_model.safetensors")
    files = Located(
        name="tuned", weights=[tmp_path / "adapter_model.safetensors"],
        config=adapter_config(LORA, "small", trunk.network), beside=[tmp_path / "adapter_config.json"],
    )  # fmt: skip
    merged, _ = merge(trunk.network.state_dict(), trunk.network.architecture, files)
    network = build_network(trunk.network.architecture)
    network.load_state_dict(merged, strict=False)
    plain = Trunk(network, "merged", "1" * 64, torch.device("cpu"))
    length = len(SEQUENCES[0])
    places = FIRST * length - FIRST * (FIRST + 1) // 2 + SECOND - FIRST - 1
    expected = np.concatenate(list(plain.attention(SEQUENCES[0], places)))
    assert np.abs(of_pairs(tuned)[0].detach().numpy() - expected).max() < 1e-5
    assert np.abs(of_pairs(pair_head(trunk, LORA))[0].detach().numpy() - expected).max() > 1e-3


def test_layers_have_learning_rates_of_their_own(trunk):
    training = Training.model_validate({"trunk_lr": 1e-4, "layer_decay": 0.5, "optimizer": {"lr": 1e-2}})
    optimizer = build_optimizer(head(trunk, "all"), training)
    rates = {}
    for group in optimizer.param_groups:
        rates.update({id(p): group["lr"] for p in group["params"]})
    tuned = head(trunk, "all")
    optimizer = build_optimizer(tuned, training)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    by_depth = {depth: rates[id(p)] for _, p, depth in depths(tuned)}
    assert by_depth[None] == 1e-2 and by_depth[3] == 1e-4 and by_depth[2] == 5e-5 and by_depth[1] == 2.5e-5
    assert by_depth[0] == 1.25e-5


def test_more_layers_than_there_are_cannot_be_trained(trunk):
    with pytest.raises(FoldgraftError, match=r"unfreeze\.last: the trunk has 3 layers, not 4"):
        head(trunk, Last(last=4))


def test_what_lora_adds_is_made_where_the_trunk_is(trunk):
    """On a GPU, for which the device `meta` stands in: a product with what was left on the CPU would fail."""
    with torch.device("meta"):
        network = build_network(trunk.network.architecture)
    part = TrunkPart(network, (1, 3), LORA)
    built = build_tuned("protein", LinearSettings(), part, [1])
    added = [p for name, p in built.named_parameters() if "lora_" in name]
    assert added and {p.device.type for p in added} == {"meta"}
