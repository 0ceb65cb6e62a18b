"""Heads: what is trained on a frozen trunk, or from scratch."""
