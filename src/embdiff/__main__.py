"""``python -m embdiff`` and the ``embdiff`` command."""

from embdiff.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
