# What the lazy names of __init__.py are, for type checkers.
from . import datasets, functional, plotting, reference
from ._inference import inference
from ._warmup import warmup
from .estimators.as_json import from_json
from .estimators.cross_validation import LogisticRegressionCV
from .estimators.exchange import from_sklearn
from .estimators.fit_many import fit_many
from .estimators.logistic_regression import LogisticRegression
from .estimators.path import path

__all__ = [
    "LogisticRegression",
    "LogisticRegressionCV",
    "__version__",
    "datasets",
    "fit_many",
    "from_json",
    "from_sklearn",
    "functional",
    "inference",
    "path",
    "plotting",
    "reference",
    "warmup",
]

__version__: str
