"""The ways in which checkpoints name the tensors of a trunk, each in a file of its own."""
