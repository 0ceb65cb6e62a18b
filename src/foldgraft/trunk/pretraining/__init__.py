"""Masked-language modelling: a small trunk from random weights, or another trunk adapted to sequences of one's own."""
