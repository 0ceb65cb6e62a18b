"""The msa stage."""
