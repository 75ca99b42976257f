"""Intervals by the bootstrap: a thousand fits to resampled data, as sets of weights over one X."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import fastlr

data = load_breast_cancer()
chosen = [0, 1, 4, 8]  # of the thirty features
X, names = StandardScaler().fit_transform(data.data[:, chosen]), data.feature_names[chosen]

rng = np.random.default_rng(0)
n_draws, n_samples = 1_000, len(X)
counts = rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), n_draws)  # how often each row was drawn
fits = fastlr.fit_many(X, data.target, Cs=[1.0], sample_weight=counts)

model = fastlr.LogisticRegression(C=1.0).fit(X, data.target)
low, high = np.quantile(fits.coefs[:, 0, 0], [0.025, 0.975], axis=0)
print(f"{'':<16}{'coefficient':>12}{'2.5 %':>9}{'97.5 %':>9}")
for row in zip(names, model.coef_[0], low, high, strict=True):
    print("{:<16}{:12.2f}{:9.2f}{:9.2f}".format(*row))
