"""Protein language models as frozen trunks: what they read, how they compute, and what the other stages ask of them."""

from foldgraft.models.trunk.trunk import Trunk

__all__ = ["Trunk"]
