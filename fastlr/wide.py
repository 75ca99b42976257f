"""Many fits of two classes to no more samples than features: one Gram matrix serves every set of weights and every C.

K = X X^T is made in one pass. A set of weights takes the rows and columns of the samples that weigh anything; Newton's
method runs there along a rising C, each fit from the end of the one before. X is read again only at the end, for all
fits together: w = X^T a, and the certificates of the coefficients as they are, rounded.
"""

import numpy as np

from . import reference
from .designs.gram import GramDesign
from .objectives import l2_from_C, relative_gap
from .objectives.logistic import LogisticObjective
from .solvers.gram_newton import GramNewton, descend

_CHUNK_ENTRIES = 1_000_000  # of X, converted at a time
_SAFETY = 0.1  # tolerance of Newton's method over that of the certificate: the two differ by rounding


class SharedGram:
    """X X^T of a problem, made when it is first asked for."""

    def __init__(self):
        self._matrix = None

    def matrix(self, problem, team):
        """The matrix in float64, whatever X holds: its rounding is not to decide how far Newton's method gets."""
        if self._matrix is None:
            self._matrix = problem.objective(np.float64, team).design.gram()
        return self._matrix


def fit_gram_path(K, targets, weight, Cs, *, fit_intercept, tol, max_iter):
    """Fits of one set of weights along a rising C, in the span of the samples.

    Parameters
    ----------
    K : float64 array of shape (n_samples, n_samples)
        X X^T.
    targets, weight : float64 arrays of shape (n_samples,)
    Cs : float64 array of shape (n_Cs,)
        Ascending, finite.
    fit_intercept, tol, max_iter
        As for a single fit.

    Returns
    -------
    a : float64 array of shape (n_Cs, n_samples)
        w = X^T a.
    b : float64 array of shape (n_Cs,)
    n_iter : int array of shape (n_Cs,)
    """
    rows = np.flatnonzero(weight)
    design = GramDesign(K[np.ix_(rows, rows)], targets[rows], weight[rows])
    newton = GramNewton(LogisticObjective(design, l2=1.0, fit_intercept=fit_intercept), None)
    a, b, n_iter = np.zeros((len(Cs), len(K))), np.zeros(len(Cs)), np.zeros(len(Cs), int)
    path = _Path()
    for i, C in enumerate(Cs):
        newton.change_penalty(l2_from_C(C, design.weight_sum), path.ahead(np.log(C)))
        _, n_iter[i], _ = descend(newton, tol=_SAFETY * tol, max_iter=max_iter)
        a[i, rows], b[i] = newton.point.a, newton.point.b
        if i + 1 < len(Cs):
            path.add(np.log(C), newton.point, newton.tangent())
    return a, b, n_iter


class _Path:
    """The optima so far as a function of log C, on which what comes next is predicted."""

    def __init__(self):
        self._known = []

    def add(self, place, point, tangent):
        self._known = [*self._known[-1:], (place, (point.a, point.b), tangent)]

    def ahead(self, place):
        """a and b on the parabola through the last two optima with the tangent of the last one; None for want of it."""
        if not self._known or self._known[-1][2] is None:
            return None
        last, end, slope = self._known[-1]
        ahead = [x + (place - last) * dx for x, dx in zip(end, slope, strict=True)]
        if len(self._known) == 2 and last > self._known[0][0]:
            first, start, _ = self._known[0]
            back = last - first
            bend = ((place - last) / back) ** 2
            parts = zip(ahead, start, end, slope, strict=True)
            ahead = [line + bend * (x0 - (x - back * dx)) for line, x0, x, dx in parts]
        return ahead


def certify(X, targets, weights, l2, a, b, fit_intercept):
    """Coefficients, objectives and certified relative gaps of many fits: three products with X.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    targets : float64 array of shape (n_samples,)
    weights : float64 array of shape (n_fits, n_samples)
        Of sum 1 for each fit.
    l2 : float64 array of shape (n_fits,)
    a : float64 array of shape (n_fits, n_samples)
    b : float64 array of shape (n_fits,)
    fit_intercept : bool

    Returns
    -------
    w : float64 array of shape (n_fits, n_features)
    values, gaps : float64 arrays of shape (n_fits,)
    """
    w = _transposed(X, a)
    raw = np.concatenate([w @ chunk.T for chunk in _chunks(X)], axis=1) + b[:, None]
    losses, residual, curvature = reference.loss_residual_curvature(raw, targets)
    values = (weights * losses).sum(axis=1) + 0.5 * l2 * (w * w).sum(axis=1)
    residual *= weights
    bounds = np.zeros(len(b))
    if fit_intercept:  # the formula of `LogisticObjective.gap_bound`
        curvature *= weights
        g_b, s = residual.sum(axis=1), curvature.sum(axis=1)
        shift = np.where(g_b == 0.0, 0.0, g_b / np.where(s > 0.0, s, np.nan))
        bounds = np.where(np.abs(shift) <= 1.0, shift * g_b, np.inf)
        residual -= np.where(np.abs(shift) <= 1.0, shift, 0.0)[:, None] * curvature
    rest = _transposed(X, residual) + l2[:, None] * w
    bounds += (rest * rest).sum(axis=1) / (2.0 * l2)
    return w, values, np.array([relative_gap(*pair) for pair in zip(bounds, values, strict=True)])


def _chunks(X):
    """X in float64, some rows at a time."""
    step = max(1, _CHUNK_ENTRIES // X.shape[1])
    for first in range(0, len(X), step):
        yield X[first : first + step].astype(np.float64, copy=False)


def _transposed(X, coefficients):
    """coefficients X, of shape (n_fits, n_features)."""
    product = np.zeros((len(coefficients), X.shape[1]))
    first = 0
    for chunk in _chunks(X):
        product += coefficients[:, first : first + len(chunk)] @ chunk
        first += len(chunk)
    return product
