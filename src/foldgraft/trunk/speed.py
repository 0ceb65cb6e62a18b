"""How much of a device's arithmetic a pretraining uses."""

import torch

from foldgraft.models.trunk.esm2 import Network

PEAK_FLOPS = {"A100": 312e12, "H100": 989e12, "H200": 989e12}
"""Dense bfloat16 operations per second by the vendor's data sheets, for names of devices that hold the key."""


def flops_per_token(network: Network, length: float) -> float:
    """Floating-point operations that learning from a token takes: 6 N + 12 layers width length.

    Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, appendix B): 2 per parameter forward and 4 backward, and the two
    products of attention over `length` tokens. The language head counts for all tokens, though it runs on the masked.
    """
    shape = network.architecture
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return 6 * parameters + 12 * shape.layers * shape.width * length


def speed(network: Network, length: float, tokens: int, seconds: float, device: torch.device) -> dict[str, float | str]:
    """Tokens per second, and on a known device the share of its peak; measurements of the perplexity included."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    rate = tokens / max(seconds, 1e-9)
    found: dict[str, float | str] = {"device": name, "tokens_per_second": round(rate)}
    peak = next((flops for key, flops in PEAK_FLOPS.items() if key in name), None)
    if peak:
        found["share_of_peak"] = round(rate * flops_per_token(network, length) / peak, 4)
    return found
