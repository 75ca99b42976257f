"""What designs with targets of many classes share: what needs no compiled pass."""

import numpy as np
from scipy import sparse, special

from .._blocks import sample_rows
from .._team import Team
from .._validation import check_finite, read_only
from .small import SmallDesign, is_small

_CHUNK_ROWS = 512  # of those that NumPy converts at a time


class ClassesDesign:
    """X with classes and weights.

    Coefficients are of shape (n_classes, n_features + 1), a row [w, b] for each class; all results are sums over
    samples in float64, weighted where there are weights.

    Parameters
    ----------
    X : array, or SciPy CSR matrix or array, of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    classes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    n_classes : int
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    weight_sum : float
    n_passes : int
        How often X was read.
    """

    scale = 1.0  # factor of X
    forms_hessian = False  # whether there is a method `hessian`, of next to no cost

    def __init__(self, X, classes, n_classes, sample_weight, name, team):
        self.X = X
        self.classes = read_only(classes)
        self.n_classes = n_classes
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(X.shape[0])
        self.team = team or Team(1)
        self.is_sparse = sparse.issparse(X)
        self.n_passes = 0
        self._sample = None
        self._name = name

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

    def separates(self, coef):
        """Whether all samples that weigh anything have their own class's raw prediction above all others: one pass."""
        for rows, raw in self._raw_predictions(coef):
            own = np.take_along_axis(raw, self.classes[rows, None], axis=1)
            right = (raw < own).sum(axis=1) == self.n_classes - 1
            if self.sample_weight.size:
                right |= self.sample_weight[rows] == 0.0
            if not right.all():
                return False
        return True

    def overshoot(self, coef, direction):
        """The largest p . z - z_k of a sample that weighs anything, z its raw predictions along `direction`."""
        largest = -np.inf
        for (rows, raw), (_, change) in zip(self._raw_predictions(coef), self._raw_predictions(direction), strict=True):
            reach = (special.softmax(raw, axis=1) * change).sum(axis=1) - change.min(axis=1)
            if self.sample_weight.size:
                reach = reach[self.sample_weight[rows] > 0.0]
            largest = max(largest, reach.max(initial=-np.inf))
        return float(largest)

    def _raw_predictions(self, coef):
        """Slices of rows, and their raw predictions."""
        self.n_passes += 1
        for first in range(0, self.shape[0], _CHUNK_ROWS):
            rows = slice(first, first + _CHUNK_ROWS)
            yield rows, self.X[rows].astype(np.float64) @ coef[:, :-1].T + coef[:, -1]

    def sample(self, n_rows):
        """A `Sample` of at most so many rows, the same each time."""
        if self._sample is None or self._sample.n_rows != min(n_rows, self.shape[0]):
            self._sample = Sample(self, n_rows)
        return self._sample

    def check_finite(self):
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        check_finite(self.X, self._name)


class Sample:
    """Some rows of a design, for what only steers.

    Parameters
    ----------
    design : ClassesDesign
    n_rows : int
        At most so many rows are taken, evenly spread.
    """

    def __init__(self, design, n_rows):
        n_samples = design.shape[0]
        self.n_rows = min(n_rows, n_samples)
        self._team, self._alone = design.team, design.alone
        weight = design.sample_weight if design.sample_weight.size else np.ones(n_samples)
        if self.n_rows == n_samples:
            self._X, self._weight = design.X, weight
        else:
            rows = sample_rows(n_samples, self.n_rows)
            self._X, self._weight = design.X[rows], weight[rows]
        self._weight = self._weight / max(self._weight.mean(), np.finfo(np.float64).tiny)
        self._design = None

    def curvatures(self, coef, *, average):
        """Weighted curvatures p (1 - p) at coefficients of shape (n_classes, n_features + 1).

        Returns
        -------
        float64 array of shape (n_rows, n_classes), or (n_rows, 1) if their average is asked for
            For weights of mean 1.
        """
        curvatures = np.empty((self.n_rows, 1 if average else len(coef)))
        for first in range(0, self.n_rows, _CHUNK_ROWS):
            rows = slice(first, first + _CHUNK_ROWS)
            p = special.softmax(self._X[rows].astype(np.float64) @ coef[:, :-1].T + coef[:, -1], axis=1)
            p *= 1.0 - p
            curvatures[rows] = p.mean(axis=1, keepdims=True) if average else p
        curvatures *= self._weight[:, None]
        return curvatures

    def hessian(self, curvature):
        """[X 1]^T D [X 1] / n_rows, float64 of shape (n_features + 1, n_features + 1)."""
        if self._design is None:
            X = self._X.toarray() if sparse.issparse(self._X) else self._X
            self._design = self._make_design(X if X.flags.f_contiguous else np.ascontiguousarray(X))
        self._design.curvature[:] = curvature
        hessian = self._design.hessian()
        hessian /= self.n_rows
        return hessian

    def _make_design(self, X):
        unused = np.zeros(self.n_rows)
        if is_small(X):
            return SmallDesign(X, unused, np.empty(0))
        from .dense import DenseDesign

        design = DenseDesign(read_only(X), unused, np.empty(0), dtype=np.float64, team=self._team)
        design.alone = self._alone
        return design
