"""A model as a file of JSON, which any version can read and people too, and as scikit-learn's own class."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import fastlr

X, y = load_iris(return_X_y=True, as_frame=True)
model = fastlr.LogisticRegression().fit(X, y)
Path("model.json").write_text(model.to_json(), encoding="utf-8")

again = fastlr.from_json(Path("model.json").read_text(encoding="utf-8"))
print("the same bits:", np.array_equal(again.predict_proba(X), model.predict_proba(X)))
print("names and classes:", *again.feature_names_in_, *again.classes_, sep=", ")

theirs = again.to_sklearn()  # for exporters that look up scikit-learn's classes
print(type(theirs).__module__, "differs by", np.abs(theirs.predict_proba(X) - model.predict_proba(X)).max())
