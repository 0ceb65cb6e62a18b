"""The trunk stage."""
