"""Checks of what callers hand in: one clear error that names the argument, or what kernels and solvers can read."""

from .arrays import (
    LEAST_SUM,
    NATIVE_DTYPES,
    as_array,
    as_real,
    check_features,
    check_finite,
    check_offset,
    check_sample_weight,
    check_targets,
    read_only,
    refuse_masked,
)
from .parameters import check_choice, check_flag, check_number, listed
from .sparse import check_sparse_features

__all__ = [
    "LEAST_SUM",
    "NATIVE_DTYPES",
    "as_array",
    "as_real",
    "check_choice",
    "check_features",
    "check_finite",
    "check_flag",
    "check_number",
    "check_offset",
    "check_sample_weight",
    "check_sparse_features",
    "check_targets",
    "listed",
    "read_only",
    "refuse_masked",
]
