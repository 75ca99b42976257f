"""What a statistician expects of a fitted model: errors, tests, intervals, effects, diagnostics, a table."""

from .build import inference
from .result import Inference

__all__ = ["Inference", "inference"]
