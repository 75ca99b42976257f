"""Data sets that the fits are measured on: made here or shipped with scikit-learn, the same on each run."""

from functools import lru_cache, partial

import numpy as np
from scipy import ndimage, sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastlr.datasets import load_sign_digits

# Levels of the categorical columns: those of the well-known census table.
LEVELS = (8, 16, 7, 14, 6, 5, 2, 41)


def signs():
    """The study's drawn images of hand signs, those to train on."""
    data = load_sign_digits()
    pixels = data.images.reshape(len(data.images), -1)
    pixels, _, y, _ = train_test_split(pixels, data.target, test_size=0.15, random_state=42)
    return np.asfortranarray(pixels) / 255.0, y


def draw_labels(rng, raw):
    """Labels with the probabilities that belong to raw predictions."""
    return rng.random(len(raw)) < 1.0 / (1.0 + np.exp(-raw))


def standardised(raw):
    """Raw predictions of mean 0 and standard deviation 1."""
    return (raw - raw.mean()) / raw.std()


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
    y = draw_labels(rng, standardised(z) * 2.0 - 1.5)
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


def text(n_samples, n_words, length=126.0, decay=1.05):
    """TF-IDF of random words, drawn as often as in prose, or pairs of words, less unlike: sparse rows of length 1."""
    rng = np.random.default_rng(0)
    lengths = np.maximum(10, rng.lognormal(np.log(length), 0.6, size=n_samples)).astype(np.int64)
    popularity = (np.arange(n_words) + 20.0) ** -decay
    words = rng.choice(n_words, size=lengths.sum(), p=popularity / popularity.sum())
    words = rng.permutation(n_words)[words]  # in any order, as a vocabulary is
    texts = np.repeat(np.arange(n_samples), lengths)
    counts = sparse.csr_matrix((np.ones(words.size), (texts, words)), shape=(n_samples, n_words))
    X = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    X.sort_indices()
    telling = rng.random(n_words) < 0.3
    return X, draw_labels(rng, 1.8 * standardised(X @ (telling * rng.normal(size=n_words))))


def web(n_samples, n_features):
    """Rare binary features of pages about some topics."""
    rng = np.random.default_rng(0)
    frequency = (np.arange(n_features) + 3.0) ** -0.9
    frequency = np.minimum(0.9, 11.7 * frequency / frequency.sum())
    n_topics = 20
    typical = rng.gamma(0.3, 1.0 / 0.3, size=(n_topics, n_features))
    topic = rng.integers(n_topics, size=n_samples)
    X = rng.random((n_samples, n_features)) < np.minimum(0.95, frequency * typical[topic])
    return sparse.csr_matrix(X), draw_labels(rng, X @ (2.0 * rng.normal(size=n_features)) - 4.0)


def digits():
    """Scikit-learn's images, 8 by 8, brought to [0, 1]."""
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def drawn_digit(rng, image, size):
    """An image of scikit-learn's digits enlarged, turned, slanted and moved, of `size` x `size` bytes."""
    angle, slant = rng.normal(0.0, 0.15), rng.normal(0.0, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Of the drawing, 20 pixels wide as in other collections, in those of the image, 8 wide.
    change = turn @ [[1.0, slant], [0.0, 1.0]] * (8.0 / 20.0 * np.exp(rng.normal(0.0, 0.1)))
    centre = (size - 1) / 2.0 + rng.normal(size=2)
    drawn = ndimage.affine_transform(image, change, 3.5 - change @ centre, output_shape=(size, size), order=1)
    return np.rint(255.0 * np.clip(1.6 * (drawn / 16.0 - 0.2), 0.0, 1.0)).ravel()


def pixels(n_samples):
    """Handwritten digits, 28 by 28."""
    rng = np.random.default_rng(0)
    data = load_digits()
    picked = rng.integers(len(data.images), size=n_samples)
    return np.stack([drawn_digit(rng, data.images[i], 28) for i in picked]), data.target[picked]


def embeddings(n_samples, n_features, n_classes):
    """Overlapping classes in directions of very different spread; rows of one length, as networks give them."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_samples)
    centres = 0.35 * rng.normal(size=(n_classes, n_features))
    rotation, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    spread = np.arange(1, n_features + 1) ** -0.5
    X = (centres[y] + 3.0 * rng.normal(size=(n_samples, n_features))) * spread @ rotation
    return X * (0.25 * np.sqrt(n_features) / np.linalg.norm(X, axis=1, keepdims=True)), y


def rare_classes(n_samples, n_features, n_classes):
    """Classes of geometric sizes, the last of a sample or two, and columns on scales from 1e-4 to 1e4."""
    rng = np.random.default_rng(0)
    sizes = 0.75 ** np.arange(n_classes)
    y = rng.choice(n_classes, size=n_samples, p=sizes / sizes.sum())
    y[:n_classes] = np.arange(n_classes)
    X = 0.5 * rng.normal(size=(n_classes, n_features))[y] + rng.normal(size=(n_samples, n_features))
    return X * 10.0 ** rng.uniform(-4.0, 4.0, size=n_features), y


def standardised_columns(source):
    """The data of a source, columns brought to mean 0 and standard deviation 1."""
    X, y = source()
    return StandardScaler().fit_transform(X), y


def overlapping(n_samples, n_features, n_classes):
    """Classes around centres that are nearer the more features there are."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_samples)
    centres = 4.0 / np.sqrt(n_features) * rng.normal(size=(n_classes, n_features))
    return centres[y] + rng.normal(size=(n_samples, n_features)), y


def genotypes(n_samples, n_features):
    """Counts of the rarer of two alleles, of which 300 matter."""
    rng = np.random.default_rng(0)
    X = rng.binomial(2, rng.uniform(0.05, 0.5, n_features), size=(n_samples, n_features)).astype(np.int8)
    causal = rng.choice(n_features, 300, replace=False)
    return X, draw_labels(rng, 2.0 * standardised(X[:, causal] @ rng.normal(size=300)))


SOURCES = {
    "signs float64": (signs, np.float64),
    "signs float32": (signs, np.float32),
    "one-hot 30,000x100": (lambda: one_hot(30_000), np.float64),
    "correlated 300,000x50": (lambda: correlated(300_000, 50), np.float64),
    "7,000x28": (lambda: correlated(7_000, 28), np.float64),
    "breast cancer": (breast_cancer, np.float64),
    "50,000x400 float32": (lambda: correlated(50_000, 400), np.float32),
    "text 25,000x44,798": (lambda: text(25_000, 44_798), np.float64),
    "pairs 25,000x267,846 float32": (lambda: text(25_000, 267_846, 250.0, 0.9), np.float32),
    "messages 5,574x50,498": (lambda: text(5_574, 50_498, 22.0, 0.9), np.float64),
    "web 49,749x300": (lambda: web(49_749, 300), np.float64),
    "digits 1,797x64": (digits, np.float64),
    "pixels 10,000x784 uint8": (lambda: pixels(10_000), np.uint8),
    "embeddings 20,000x512 float32": (lambda: embeddings(20_000, 512, 100), np.float32),
}
NAMES = tuple(SOURCES)

# Many classes: of which few solvers bring a fit to an end, and of fewer samples than features.
RARE = {
    "rare 247x10": lambda: rare_classes(247, 10, 19),
    "rare 1,500x3": lambda: rare_classes(1_500, 3, 29),
    "rare 3,000x16": lambda: rare_classes(3_000, 16, 26),
    "rare 4,000x120": lambda: rare_classes(4_000, 120, 9),
}
RARE |= {f"{name} standardised": partial(standardised_columns, source) for name, source in RARE.items()}
WIDE = {
    "wide 200x500": lambda: overlapping(200, 500, 6),
    "wide 100x2,000": lambda: overlapping(100, 2_000, 4),
    "wide 300x20,000": lambda: overlapping(300, 20_000, 5),
    "wide 1,000x1,500": lambda: overlapping(1_000, 1_500, 10),
}
SOURCES |= {name: (source, np.float64) for name, source in (RARE | WIDE).items()}
SOURCES["genotypes 2,000x30,000 int8"] = lambda: genotypes(2_000, 30_000), np.int8
L1_NAMES = ("signs float64", "one-hot 30,000x100", "7,000x28", "text 25,000x44,798", "digits 1,797x64")


@lru_cache(maxsize=1)
def load(name):
    """X, C-contiguous or CSR, of shape (n_samples, n_features), and int64 classes from 0."""
    source, dtype = SOURCES[name]
    X, y = source()
    X = X.astype(dtype) if sparse.issparse(X) else np.ascontiguousarray(X, dtype=dtype)
    return X, y.astype(np.int64)


@lru_cache(maxsize=1)
def noisy_pixels(n_classes):
    """Noise of 20,000x784 uint8, where memory is what counts, and labels that it does not separate."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(20_000, 784), dtype=np.uint8)
    noise = rng.gumbel(size=(len(X), n_classes))
    return X, np.argmax(standardised(X @ rng.normal(size=(784, n_classes))) + noise, axis=1)


def pixels_as(dtype, order, n_classes):
    """The noise in another dtype, floats divided by 255, or another order; and the labels."""
    X, y = noisy_pixels(n_classes)
    if dtype != "uint8":
        X = X / 255.0
    return np.array(X, dtype=dtype, order=order), y
