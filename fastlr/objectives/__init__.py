"""Loss plus penalty over a matrix, spelled once: a file for two classes, one for many."""

from ..rules import relative_gap

__all__ = ["relative_gap"]
