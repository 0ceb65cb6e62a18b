"""A learnt mix of layers: its formula by hand, and that it finds the layer that tells."""

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from foldgraft.models.heads.build import BODIES, Widths, build, reads
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.mix import SPEED, shares
from foldgraft.models.heads.settings import HeadChoice
from foldgraft.tasks.sequences import collate

LAYERS, WIDTH = 3, 4
SETTINGS = TypeAdapter(HeadChoice)
MIXED = [
    (level, name)
    for level, name in BODIES
    if level != "pair" and reads(level, SETTINGS.validate_python(name)) in ("pooled", "residues")
]


def mixed(level, name) -> Head:
    torch.manual_seed(1)
    small = {} if name == "linear" else {"hidden": 5}
    settings = SETTINGS.validate_python({"name": name, **small})
    head = build(level, settings, Widths(LAYERS * WIDTH, mixed=LAYERS), [2])
    head.body.normalise.fit(torch.randn(50, LAYERS * WIDTH) * 2 + 1)
    torch.nn.init.normal_(head.out[0].weight)
    return head.eval()


def proteins(level, name, lengths):
    rng = np.random.default_rng(0)
    pooled = reads(level, SETTINGS.validate_python(name)) == "pooled"
    shapes = [(LAYERS * WIDTH,) if pooled else (length, LAYERS * WIDTH) for length in lengths]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def by_hand(head, values):
    """γ Σ s_k h_k (Peters et al. 2018) of standardised layers, in double precision."""
    state = {name: tensor.double().numpy() for name, tensor in head.body.state_dict().items()}
    z = (values - state["normalise.mean"]) / state["normalise.std"]
    share = np.exp(SPEED * state["weights"]) / np.exp(SPEED * state["weights"]).sum()
    return state["scale"] * sum(share[k] * z[..., k * WIDTH : (k + 1) * WIDTH] for k in range(LAYERS))


@pytest.mark.parametrize(("level", "name"), MIXED)
def test_a_head_reads_the_mix_written_out_by_hand(level, name):
    head, items = mixed(level, name), proteins(level, name, [9, 4])
    start = torch.cat([head(collate([item]))[0] for item in items])
    with torch.no_grad():
        head.body.weights.copy_(torch.tensor([0.03, -0.12, 0.2]))
        head.body.scale.fill_(1.7)
    assert not torch.allclose(head(collate(items))[0], start, atol=1e-2)
    alone = build(level, SETTINGS.validate_python({"name": name} | ({} if name == "linear" else {"hidden": 5})),
                  (WIDTH, 0), [2]).eval()  # fmt: skip
    alone.body.load_state_dict(head.body.body.state_dict())
    alone.out.load_state_dict(head.out.state_dict())
    expected = alone(collate([by_hand(head, item).astype(np.float32) for item in items]))[0]
    assert torch.allclose(head(collate(items))[0], expected, atol=1e-5)


def test_layers_start_with_equal_shares():
    head = mixed("residue", "linear")
    values = torch.randn(20, LAYERS * WIDTH)
    expected = head.body.normalise(values).view(20, LAYERS, WIDTH).mean(1)
    assert torch.allclose(head.body(values), expected, atol=1e-6)
    assert shares([head, head]) == [pytest.approx([1 / LAYERS] * LAYERS)] * 2
    assert shares([build("residue", SETTINGS.validate_python("linear"), (WIDTH, 0), [2])]) == []


def test_the_layer_that_tells_gets_the_largest_share():
    """Truth is a sum over layer 2; the others are noise."""
    head = mixed("residue", "linear").train()
    values = torch.randn(400, LAYERS * WIDTH)
    truth = values[:, WIDTH : 2 * WIDTH].sum(1)
    head.body.normalise.fit(values)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (head((values,))[0][:, 0] - truth).square().mean().backward()
        optimizer.step()
    (found,) = shares([head])
    assert found[1] > 0.9 and sum(found) == pytest.approx(1)
