"""Small problems, which are mostly what surrounds the arithmetic: single fits, bootstraps, folds, predictions.

Each beside scikit-learn's quickest way, warm. 569x30, alone and cross-validated, is in `fit` and `cross_validation`.
"""

import numpy as np
import scipy.sparse
import sklearn.linear_model
from sklearn.model_selection import KFold

import fastlr

from .fit_data import draw_labels

IMPLEMENTATIONS = ("fastlr", "sklearn")


def labelled(n_samples, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    return X, draw_labels(rng, X @ rng.normal(size=n_features))


def model_of(implementation, **parameters):
    if implementation == "fastlr":
        return fastlr.LogisticRegression(**parameters)
    return sklearn.linear_model.LogisticRegression(solver="newton-cholesky", **parameters)


class Overhead:
    """A fit of some microseconds of arithmetic, and predictions for a row."""

    params = IMPLEMENTATIONS
    param_names = ("implementation",)

    def setup(self, implementation):
        self.X, self.y = labelled(100, 5)
        self.model = model_of(implementation).fit(self.X, self.y)

    def time_fit_100x5(self, implementation):
        self.model.fit(self.X, self.y)

    def time_predict_one_row(self, implementation):
        self.model.predict(self.X[:1])

    def time_predict_proba_one_row(self, implementation):
        self.model.predict_proba(self.X[:1])


class SparseRow:
    """Predictions of 500 classes for one sparse row of 10,000 columns."""

    params = (IMPLEMENTATIONS, ("C", "F"))
    param_names = ("implementation", "order of coef_")

    def setup(self, implementation, order):
        rng = np.random.default_rng(0)
        self.X = scipy.sparse.random(1, 10_000, 0.005, format="csr", random_state=0)
        self.model = model_of(implementation)
        self.model.coef_ = np.asarray(rng.normal(size=(500, 10_000)), order=order)
        self.model.intercept_, self.model.classes_ = np.zeros(500), np.arange(500)
        self.model.n_features_in_ = 10_000

    def time_predict(self, implementation, order):
        self.model.predict(self.X)


class Bootstrap:
    """2,000 fits of 500x10; scikit-learn does 50 of them."""

    params = IMPLEMENTATIONS
    param_names = ("implementation",)
    timeout = 120

    def setup(self, implementation):
        self.X, self.y = labelled(500, 10)
        rng = np.random.default_rng(1)
        self.weights = rng.multinomial(500, np.full(500, 1 / 500), size=2_000).astype(float)
        self.n_fits = 2_000 if implementation == "fastlr" else 50
        self.time_fits(implementation)  # compilers

    def time_fits(self, implementation):
        if implementation == "fastlr":
            fastlr.fit_many(self.X, self.y, Cs=[1.0], sample_weight=self.weights)
        else:
            model = model_of(implementation)
            for weight in self.weights[: self.n_fits]:
                model.fit(self.X, self.y, sample_weight=weight)


class Folds:
    """Ten values of C in five folds."""

    params = (((569, 30), (7_000, 28)), IMPLEMENTATIONS)
    param_names = ("shape", "implementation")
    timeout = 120

    def setup(self, shape, implementation):
        self.X, self.y = labelled(*shape)
        self.folds = list(KFold(5).split(self.X))
        self.time_fits(shape, implementation)  # compilers

    def time_fits(self, shape, implementation):
        if implementation == "fastlr":
            fastlr.fit_many(self.X, self.y, folds=self.folds)
        else:
            for C in np.logspace(-4, 4, 10):
                for train, _ in self.folds:
                    model_of(implementation, C=C).fit(self.X[train], self.y[train])
