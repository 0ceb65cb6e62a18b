"""The trunk and the heads: what is trained, and what stays frozen."""
