"""What a user waits for at first: imports, and the first call of a process. Each sample is a new interpreter."""

import subprocess
import sys

FIRST_CALL = """
import numpy as np
from fastlr.functional import forward_backward_propagation
forward_backward_propagation(np.zeros((5, 1)), 0.0, np.ones((5, 8)), np.zeros((1, 8)))
"""

# Numba reads the variable when it is imported.
EMPTY_CACHE = """
import os
import tempfile
folder = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = folder.name
"""

SKLEARN_FIRST_FIT = """
import numpy as np
from sklearn.linear_model import LogisticRegression
LogisticRegression().fit(np.arange(40.0).reshape(8, 5), np.arange(8) % 2)
"""

FIRST_FIT = """
from sklearn.datasets import load_breast_cancer
from {module} import LogisticRegression
X, y = load_breast_cancer(return_X_y=True)
LogisticRegression().fit((X - X.mean(axis=0)) / X.std(axis=0), y)
"""
FASTLR_FIT = FIRST_FIT.format(module="fastlr")

# Too large for the passes in NumPy.
FIRST_COMPILED_FIT = """
import numpy as np
from {module} import LogisticRegression
X = np.random.default_rng(0).normal(size=(4_000, 30))
LogisticRegression().fit(X, X[:, 0] > 0.3)
"""
FASTLR_COMPILED_FIT = FIRST_COMPILED_FIT.format(module="fastlr")


class Import:
    timeout = 120

    def timeraw_fastlr(self):
        return "import fastlr"

    def timeraw_functional(self):
        return "import fastlr.functional"

    def timeraw_sklearn(self):
        return "import sklearn.linear_model"


class FirstCall:
    timeout = 180
    # A cold call takes seconds.
    repeat = (1, 3, 30.0)

    def timeraw_fastlr_cold_cache(self):
        return EMPTY_CACHE + FIRST_CALL

    def timeraw_sklearn_fit(self):
        return SKLEARN_FIRST_FIT


class FirstCallWarmCache:
    timeout = 180

    def setup(self):
        subprocess.run([sys.executable, "-c", FIRST_CALL], check=True)

    def timeraw_fastlr(self):
        return FIRST_CALL


class FirstFit:
    """From an empty interpreter to a fitted small model: imports and the data; nothing is compiled."""

    timeout = 300
    repeat = (1, 3, 60.0)

    def timeraw_fastlr_cold_cache(self):
        return EMPTY_CACHE + FASTLR_FIT

    def timeraw_sklearn(self):
        return FIRST_FIT.format(module="sklearn.linear_model")


class FirstFitWarmCache:
    timeout = 300

    def setup(self):
        subprocess.run([sys.executable, "-c", FASTLR_FIT], check=True)

    def timeraw_fastlr(self):
        return FASTLR_FIT


class FirstCompiledFit:
    """The same where the passes are compiled."""

    timeout = 300
    repeat = (1, 3, 60.0)

    def timeraw_fastlr_cold_cache(self):
        return EMPTY_CACHE + FASTLR_COMPILED_FIT

    def timeraw_sklearn(self):
        return FIRST_COMPILED_FIT.format(module="sklearn.linear_model")


class FirstCompiledFitWarmCache:
    timeout = 300

    def setup(self):
        subprocess.run([sys.executable, "-c", FASTLR_COMPILED_FIT], check=True)

    def timeraw_fastlr(self):
        return FASTLR_COMPILED_FIT
