"""Code for scikit-learn, with one import changed: the same model, and how near to the optimum it is."""

import numpy as np
import sklearn.linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from fastlr import LogisticRegression  # was: from sklearn.linear_model import LogisticRegression
from fastlr.plotting import plot_history

X, y = load_breast_cancer(return_X_y=True)  # raw columns, from 0.001 to 4254: no scaling needed
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = LogisticRegression(C=1.0).fit(X_train, y_train)
print(f"{100 * model.score(X_test, y_test):.1f} % of the test samples are right")
print(f"{model.solver_}: within {model.gap_:.0e} of the optimum after {model.n_passes_} passes over X")

theirs = sklearn.linear_model.LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8).fit(X_train, y_train)
difference = np.abs(model.predict_proba(X_test) - theirs.predict_proba(X_test)).max()
print(f"scikit-learn's probabilities at its optimum differ by at most {difference:.0e}")

plot_history(model).figure.savefig("swap_one_import.png")
