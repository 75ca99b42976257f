"""Logistic regression on fused, Numba-compiled kernels.

`LogisticRegression` is a scikit-learn classifier; `functional` holds the functions of the study this began with;
`datasets` its images. Names are imported when first used: importing the package compiles nothing and does not load
Numba.
"""

import importlib

__version__ = "0.1.0"

_MODULES = ("datasets", "functional", "plotting", "reference")
_NAMES = {
    "LogisticRegression": "estimators.logistic_regression",
    "LogisticRegressionCV": "estimators.cross_validation",
    "fit_many": "estimators.fit_many",
    "from_json": "estimators.as_json",
    "from_sklearn": "estimators.exchange",
    "inference": "_inference",
    "path": "estimators.path",
    "warmup": "_warmup",
}

__all__ = [
    "LogisticRegression",
    "LogisticRegressionCV",
    "__version__",
    "fit_many",
    "from_json",
    "from_sklearn",
    "inference",
    "path",
    "warmup",
    *_MODULES,
]


def __getattr__(name):
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
