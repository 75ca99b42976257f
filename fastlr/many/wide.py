"""Many fits of two classes to no more samples than features: one Gram matrix serves every set of weights and every C.

K = X X^T is made in one pass. A set of weights takes the rows and columns of the samples that weigh anything; Newton's
method runs there along a rising C, and starts each fit from where the ends of the last two and a tangent point to. X is
read again only at the end, for all fits of the set together: w = X^T a, and the certificates of the coefficients as
they are, rounded. Sets know nothing of one another, so each may run on a thread of its own.
"""

from functools import reduce

import numpy as np

from .. import reference
from ..designs.gram import GramDesign
from ..objectives import l2_from_C, relative_gap
from ..objectives.logistic import LogisticObjective, bound_of_shift, dual_shift
from ..solvers.gram_newton import GramNewton, descend, in_span

_CHUNK_ENTRIES = 2_000_000  # of X, converted at a time
_SAFETY = 0.1  # tolerance of Newton's method over that of the certificate: the two differ by rounding


class SharedGram:
    """X X^T of a problem, made when it is first asked for.

    Attributes
    ----------
    n_passes : int
        How often X was read for it.
    """

    def __init__(self):
        self._matrix = None
        self.n_passes = 0

    def matrix(self, problem, team):
        """The matrix in float64, whatever X holds: its rounding is not to decide how far Newton's method gets."""
        if self._matrix is None:
            design = problem.objective(np.float64, team).design
            self._matrix = design.gram()
            self.n_passes = design.n_passes
        return self._matrix


def fit_set(problem, K, Cs, *, tol, max_iter, start, check):
    """Fits of one set of weights along a rising C.

    Parameters
    ----------
    problem : Problem
        Its C is not looked at.
    K, Cs, tol, max_iter, check
        See `fit_gram_path`.
    start : float64 array of shape (1, n_features + 1), or None
        [w, b] for the first C.

    Returns
    -------
    coef : float64 array of shape (n_Cs, n_features + 1)
        Rows [w, b].
    values, gaps : float64 arrays of shape (n_Cs,)
    n_iter : int array of shape (n_Cs,)
    """
    targets = problem.codes.astype(np.float64)
    weight = problem.sample_weight if problem.sample_weight.size else np.ones(len(targets))
    options = {"fit_intercept": problem.fit_intercept, "tol": tol, "max_iter": max_iter, "check": check}
    if start is not None:
        start = _raw(problem.X, start[:, :-1])[0], float(start[0, -1])
    a, b, n_iter = fit_gram_path(K, targets, weight, Cs, start=start, **options)
    l2 = np.array([l2_from_C(C, weight.sum()) for C in Cs])
    return *certify(problem.X, targets, weight, l2, a, b, problem.fit_intercept), n_iter


def fit_gram_path(K, targets, weight, Cs, *, start, fit_intercept, tol, max_iter, check):
    """Fits of one set of weights along a rising C, in the span of the samples.

    Parameters
    ----------
    K : float64 array of shape (n_samples, n_samples)
        X X^T.
    targets, weight : float64 arrays of shape (n_samples,)
    Cs : float64 array of shape (n_Cs,)
        Ascending, finite.
    start : tuple of array of shape (n_samples,) and float, or None
        Raw predictions without the intercept, and the intercept, for the first C.
    fit_intercept, tol, max_iter
        As for a single fit.
    check : callable
        Called before each step: may raise to end it all.

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
    ahead = None if start is None else (in_span(newton.K, start[0][rows]), start[1])
    for i, C in enumerate(Cs):
        newton.change_penalty(l2_from_C(C, design.weight_sum), ahead)
        _, n_iter[i], _ = descend(newton, tol=_SAFETY * tol, max_iter=max_iter, callback=lambda _: check())
        a[i, rows], b[i] = newton.point.a, newton.point.b
        if i + 1 < len(Cs):
            path.add(np.log(C), newton.point, newton.tangent())
            ahead = path.ahead(np.log(Cs[i + 1]))
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


def certify(X, targets, weight, l2, a, b, fit_intercept):
    """Coefficients, objectives and certified relative gaps of fits of one set of weights: three products with X.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    targets, weight : float64 arrays of shape (n_samples,)
    l2 : float64 array of shape (n_fits,)
    a : float64 array of shape (n_fits, n_samples)
        w = X^T a.
    b : float64 array of shape (n_fits,)
    fit_intercept : bool

    Returns
    -------
    coef : float64 array of shape (n_fits, n_features + 1)
        Rows [w, b].
    values, gaps : float64 arrays of shape (n_fits,)
    """
    share = weight / weight.sum()
    coef = np.column_stack([_transposed(X, a), b])
    w = coef[:, :-1]
    raw = _raw(X, w) + b[:, None]
    losses, residual, curvature = reference.loss_residual_curvature(raw, targets)
    values = losses @ share + 0.5 * l2 * (w * w).sum(axis=1)
    alpha, d = share * residual, share * curvature
    g_b = alpha.sum(axis=1) if fit_intercept else np.zeros(len(b))
    shifts = np.array([dual_shift(*pair) for pair in zip(g_b, d.sum(axis=1), strict=True)])
    rest = _transposed(X, alpha - shifts[:, None] * d) + l2[:, None] * w
    parts = zip(shifts, g_b, (rest * rest).sum(axis=1), l2, values, strict=True)
    gaps = [relative_gap(bound_of_shift(*part), value) for *part, value in parts]
    return coef, values, np.array(gaps)


# X comes first in products: BLAS takes up to twice as long for a few rows times X.


def _chunks(X):
    """Slices of rows, and these rows of X in float64."""
    step = max(1, _CHUNK_ENTRIES // X.shape[1])
    for first in range(0, len(X), step):
        rows = slice(first, first + step)
        yield rows, X[rows].astype(np.float64, copy=False)


def _raw(X, w):
    """w X^T, of shape (n_fits, n_samples)."""
    return np.concatenate([chunk @ w.T for _, chunk in _chunks(X)]).T


def _transposed(X, coefficients):
    """coefficients X, of shape (n_fits, n_features)."""
    return reduce(np.add, (chunk.T @ coefficients[:, rows].T for rows, chunk in _chunks(X))).T
