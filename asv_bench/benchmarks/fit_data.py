"""Data sets that the fits are measured on: made here or shipped with scikit-learn, the same on each run."""

from functools import lru_cache

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from fastlr.__main__ import split
from fastlr.datasets import load_sign_digits

# Levels of the categorical columns: those of the well-known census table.
LEVELS = (8, 16, 7, 14, 6, 5, 2, 41)


def signs():
    """The study's drawn images of hand signs, those to train on."""
    data = load_sign_digits()
    pixels, _, y, _ = split(data.images, data.target)
    return pixels.T / 255.0, y[0]


def draw_labels(rng, raw):
    """Labels with the probabilities that belong to raw predictions."""
    return rng.random(len(raw)) < 1.0 / (1.0 + np.exp(-raw))


def one_hot(n_samples):
    """Categorical columns, one-hot, and five skewed numbers, all standardised.

    Rare levels become columns of a few huge entries: a full Newton step from a poor start diverges here.
    """
    rng = np.random.default_rng(0)
    columns = []
    for n_levels in LEVELS:
        p = np.arange(1, n_levels + 1) ** -1.8
        columns.append(np.eye(n_levels)[rng.choice(n_levels, size=n_samples, p=p / p.sum())])
    X = np.column_stack([*columns, rng.lognormal(size=(n_samples, 5))])
    X = X[:, X.std(axis=0) > 0.0]
    z = X @ rng.normal(size=X.shape[1])
    y = draw_labels(rng, (z - z.mean()) / z.std() * 2.0 - 1.5)
    return StandardScaler().fit_transform(X), y


def correlated(n_samples, n_features):
    """Normal columns, mixed with each other."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(n_features, n_features)) / np.sqrt(n_features)
    X = rng.normal(size=(n_samples, n_features)) @ (np.eye(n_features) + mix)
    w = rng.normal(size=n_features) / np.sqrt(n_features)
    return X, draw_labels(rng, 2.0 * (X @ w))


def breast_cancer():
    """Scikit-learn's table, standardised."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


SOURCES = {
    "signs float64": (signs, np.float64),
    "signs float32": (signs, np.float32),
    "one-hot 30,000x100": (lambda: one_hot(30_000), np.float64),
    "correlated 300,000x50": (lambda: correlated(300_000, 50), np.float64),
    "7,000x28": (lambda: correlated(7_000, 28), np.float64),
    "breast cancer": (breast_cancer, np.float64),
    "50,000x400 float32": (lambda: correlated(50_000, 400), np.float32),
}
NAMES = tuple(SOURCES)


@lru_cache(maxsize=1)
def load(name):
    """X, C-contiguous of shape (n_samples, n_features), and labels 0 and 1, int64."""
    source, dtype = SOURCES[name]
    X, y = source()
    return np.ascontiguousarray(X, dtype=dtype), y.astype(np.int64)


@lru_cache(maxsize=1)
def noisy_pixels():
    """Noise of 20,000x784 uint8, where memory is what counts, and labels that it does not separate."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(20_000, 784), dtype=np.uint8)
    z = X @ rng.normal(size=784)
    return X, draw_labels(rng, (z - z.mean()) / z.std()).astype(np.int64)


def pixels_as(dtype, order):
    """The noise in another dtype, floats divided by 255, or another order; and the labels."""
    X, y = noisy_pixels()
    if dtype != "uint8":
        X = X / 255.0
    return np.array(X, dtype=dtype, order=order), y
