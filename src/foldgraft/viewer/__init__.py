"""Structures in a page: what the pages of several stages share, so that a molecule is turned in all of them alike."""
