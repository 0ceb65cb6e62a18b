"""Foldgraft: task heads grafted onto a frozen protein language-model trunk."""

__version__ = "0.1.0"
