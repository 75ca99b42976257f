"""What a new process loads and compiles: nothing before it must, and nothing that `warmup` has compiled."""

import json
import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from numba.core import event

import fastlr
from fastlr.runtime import helpers
from fastlr.runtime.jit import options

LOADED = """
import json, sys
import numpy as np
steps = {}
def note(step):
    steps[step] = "numba" in sys.modules
import fastlr
note("import")
from fastlr import LogisticRegression, warmup
note("name")
X, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
model = LogisticRegression().fit(X, y)
model.predict_proba(X)
LogisticRegression().fit(X.astype(np.uint8), y).predict(X.astype(np.uint8))
note("small fit")
LogisticRegression().fit(np.random.default_rng(0).normal(size=(1_001, 2)), np.arange(1_001) % 2)
note("large fit")
print(json.dumps(steps))
"""

COMPILED = """
import json, sys
import numpy as np
import fastlr
fastlr.warmup(["float32"], kinds=["tall", "tall cross-validation", "small cross-validation"])
from fastlr.runtime import rounds
from fastlr.kernels import dense, many, newton, squares
kernels = dense.serve, squares.serve_hessian, many.serve, newton.fit_paths, rounds.open_round
def count():
    return [len(d.signatures) for d in kernels]
before = count()
X = np.random.default_rng(1).normal(size=(4_000, 7)).astype(np.float32)
y = X[:, 0] > 0.3
fastlr.LogisticRegression(n_jobs=2, tol=1e-10).fit(X, y, sample_weight=np.arange(4_000.0)).predict(X)
search = {"Cs": 2, "l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}
for n_rows in (4_000, 200):  # of which passes serve several fits, and a kernel each
    fastlr.LogisticRegressionCV(n_jobs=2, tol=1e-10, cv=20, **search).fit(np.tile(X, (1, 8))[:n_rows], y[:n_rows])
print(json.dumps([before, count()]))
"""


def run(code):
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def test_numba_is_not_loaded_before_a_kernel_is_needed():
    assert run(LOADED) == {"import": False, "name": False, "small fit": False, "large fit": True}


def test_after_warmup_a_fit_of_that_kind_compiles_nothing():
    before, after = run(COMPILED)
    assert after == before
    assert before[0] >= 2  # float32 features with products in float32 and float64


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"dtypes": ["int64"]}, "dtypes"),
        ({"dtypes": "float64"}, "dtypes"),
        ({"dtypes": None}, "dtypes"),
        ({"dtypes": ["number"]}, "dtypes"),
        ({"dtypes": [">f8x"]}, "dtypes"),
        ({"orders": 1}, "orders"),
        ({"orders": np.zeros((2, 2))}, "orders"),
        ({"orders": ["A"]}, "orders"),
        ({"kinds": ["round"]}, "kinds"),
        ({"kinds": "tall"}, "kinds"),
    ],
)
def test_warmup_names_a_bad_argument(arguments, name):
    with pytest.raises(ValueError, match=name):
        fastlr.warmup(**arguments)


def passes_over(compiled):
    """What Numba calls the passes that it compiles a function of a number by."""
    names = set()

    class Listener(event.Listener):
        def on_start(self, event):
            names.add(event.data["name"].split()[0])

        def on_end(self, event):
            pass

    with event.install_listener("numba:run_pass", Listener()):
        assert compiled(1.0) == 2.0
    return names


def test_kernels_are_compiled_without_passes_for_what_they_do_not_have():
    def following(x):
        return x + 1.0

    assert passes_over(njit(following)) - passes_over(njit(**options())(following)) == set(helpers._SPARED)
