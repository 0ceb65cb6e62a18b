"""Makes `python -m foldgraft` the same as the `foldgraft` command."""

from foldgraft.cli import main

if __name__ == "__main__":
    main()
