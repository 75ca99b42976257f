"""What a statistician reads: coefficients with errors, tests and intervals, and odds ratios as a forest."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

import fastlr
from fastlr.plotting import plot_forest

data = load_breast_cancer(as_frame=True)
chosen = ["mean texture", "mean smoothness", "mean symmetry", "texture error"]
X = data.data[chosen]
X = (X - X.mean()) / X.std()
y = pd.Series(np.where(data.target == 0, "malignant", "benign"))

model = fastlr.LogisticRegression(C=np.inf).fit(X, y)  # maximum likelihood
result = fastlr.inference(model, X, y, cov_type="HC1")
print(result.summary())
print(result.wald_test(["mean symmetry", "texture error"]))
print(result.marginal_effects())

plot_forest(result).figure.savefig("forest.png")
