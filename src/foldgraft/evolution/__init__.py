"""Alignments and what they tell: read, brought onto chains, filtered, weighed, and scored for coevolution."""
