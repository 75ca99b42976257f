"""A plugin of pytest: scikit-learn's own tests of its classes, with the classes of this package in their place.

    PYTHONPATH=tests python -m pytest -p in_place --pyargs sklearn.linear_model.tests.test_logistic

Tests that `in_place.txt` lists, each with a reason, are expected to fail, and one of them that passes is an error: the
list can only get shorter. What it lists for older versions is looked at with them alone, and may pass there.
"""

import re
from pathlib import Path

import pytest
import sklearn.linear_model
from sklearn.linear_model import _logistic
from sklearn.utils.fixes import parse_version

import fastlr

OLDER = parse_version(sklearn.__version__) < parse_version("1.9")


def listed():
    """Patterns of the names of tests, * for anything, with the reason above them."""
    reason = ""
    for line in (Path(__file__).with_suffix(".txt")).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line[1:].strip()
        elif line.strip() and (OLDER or not reason.startswith("before")):
            yield re.compile(re.escape(line.strip()).replace(r"\*", ".*")), reason


def pytest_configure():
    for name in ("LogisticRegression", "LogisticRegressionCV"):
        ours = getattr(fastlr, name)
        for module in (sklearn.linear_model, _logistic):  # older tests import from where it is defined
            setattr(module, name, ours)


def pytest_collection_modifyitems(items):
    for item in items:
        for pattern, reason in listed():
            if pattern.fullmatch(item.name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=not OLDER))
