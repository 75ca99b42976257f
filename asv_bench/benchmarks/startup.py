"""What a user waits for at first: imports, and the first call of a process. Each sample is a new interpreter."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

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


# First fits of each kind, all too large for NumPy's way.
KINDS = {
    "dense float64": "fit(X, y)",
    "dense float32": "fit(X.astype(np.float32), y)",
    "dense uint8": "fit((10 * X).astype(np.uint8), y)",
    "dense float64, columns": "fit(np.asfortranarray(X), y)",
    "cross-validation": "LogisticRegressionCV(cv=3).fit(X, y)",
    "softmax": "fit(X, many)",
    "sparse": "fit(sparse.csr_array(X), y)",
    "sparse softmax": "fit(sparse.csr_array(X), many)",
    "wide": "fit(X[:150].repeat(5, axis=1), y[:150])",
}
SKLEARN_KIND = """
import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
rng = np.random.default_rng(0)
X = rng.exponential(size=(5_000, 40))
y, many = X[:, 0] > 1.0, np.minimum(X[:, 0], 2.0).astype(int)
fit = LogisticRegression().fit
"""
FASTLR_KIND = SKLEARN_KIND.replace("sklearn.linear_model", "fastlr")

# Counts what the compiler takes.
COMPILE_CLOCK = """
from numba.core import event
clock = [0.0]
class _Clock(event.Listener):
    depth = 0
    def on_start(self, _):
        self.depth += 1
        if self.depth == 1:
            self.began = time.process_time()
    def on_end(self, _):
        self.depth -= 1
        if self.depth == 0:
            clock[0] += time.process_time() - self.began
event.register("numba:compile", _Clock())
"""


class FirstFitOfAKind:
    """Whole processes: with nothing but the compiler, with a seed of machine code, and scikit-learn's."""

    timeout = 900
    repeat = (1, 3, 60.0)
    param_names = ("kind",)
    params = tuple(KINDS)

    def setup_cache(self):
        """The seed for the best level that this processor runs; asv's folder keeps it."""
        from fastlr.runtime import seed

        level, folder = seed.usable_levels()[0], Path("seed").resolve()
        with tempfile.TemporaryDirectory() as cache:
            target = {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": seed.features_of(level), "NUMBA_CACHE_DIR": cache}
            code = "\n".join([FASTLR_KIND, *KINDS.values()])
            subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **target})
            seed.collect(cache, folder, level)
        return str(folder)

    def timeraw_fastlr_cold_cache(self, folder, kind):
        return EMPTY_CACHE + FASTLR_KIND + KINDS[kind]

    def timeraw_fastlr_cold_cache_with_a_seed(self, folder, kind):
        return EMPTY_CACHE + f"os.environ['FASTLR_SEED'] = {folder!r}\n" + FASTLR_KIND + KINDS[kind]

    def timeraw_sklearn(self, folder, kind):
        return SKLEARN_KIND + KINDS[kind]

    def track_compiler_seconds(self, folder, kind):
        """Of the processor, in a new process with an empty cache."""
        code = f"{EMPTY_CACHE}\nimport time\n{FASTLR_KIND}\n{COMPILE_CLOCK}\n{KINDS[kind]}\nprint(clock[0])"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        return float(done.stdout)

    track_compiler_seconds.unit = "seconds"
