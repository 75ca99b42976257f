"""Many fits of two classes to no more samples than features: one Gram matrix serves every set of weights and every C.

K = X X^T is made in one pass. A set of weights takes the rows and columns of the samples that weigh anything; Newton's
method runs there along a rising C, and starts each fit from where the ends of the last two and a tangent point to. X is
read again only at the end, for the fits of some sets together: w = X^T a, and the certificates of the coefficients as
they are, rounded. Sets know nothing of one another, so each may run on a thread of its own.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..losses.logistic import LogisticLoss
from ..matrices.gram import GramMatrix
from ..objectives import relative_gap
from ..objectives.logistic import LogisticObjective
from ..objectives.penalties import L2
from ..rules import bound_of_shift, dual_shift
from ..solvers.gram_newton import GramNewton, descend, in_span

_TOGETHER = 32  # fits, about, that are certified together: products with fewer columns take longer for each

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
            matrix = problem.matrix(np.float64, team)
            self._matrix = matrix.gram()
            self.n_passes = matrix.n_passes
        return self._matrix


@dataclass
class SetPath:
    """Fits of one set of weights, in the span of the samples.

    Attributes
    ----------
    loss : LogisticLoss
    penalties : list of L2
        By fit.
    a : float64 array of shape (n_fits, n_samples)
        w = X^T a.
    b : float64 array of shape (n_fits,)
    n_iter : int array of shape (n_fits,)
    n_passes : int
        How often X was read.
    """

    loss: LogisticLoss
    penalties: list
    a: np.ndarray
    b: np.ndarray
    n_iter: np.ndarray
    n_passes: int = 0


def groups_of(sets, n_fits):
    """Sets whose fits, so many each, are certified together: lists."""
    size = max(1, _TOGETHER // max(n_fits, 1))
    return [sets[k : k + size] for k in range(0, len(sets), size)]


def fit_set(problem, K, Cs, *, tol, max_iter, start, check):
    """Fits of one set of weights along a rising C.

    Parameters
    ----------
    problem : Problem
        Its C is not looked at.
    K : float64 array of shape (n_samples, n_samples)
        X X^T.
    Cs : float64 array of shape (n_Cs,)
        Ascending, finite.
    tol, max_iter
        As for a single fit.
    start : float64 array of shape (1, n_features + 1), or None
        [w, b] for the first C.
    check : callable
        Called before each step: may raise to end it all.

    Returns
    -------
    SetPath
    """
    matrix = problem.matrix(np.float64, None)
    loss = LogisticLoss(problem.targets(), problem.sample_weight, compiled=False)
    if start is not None:
        w = start.copy()
        w[0, -1] = 0.0
        start = _raw(matrix, w)[0], float(start[0, -1])
    penalties = [replace(problem, C=C).penalty(loss.weight_sum) for C in Cs]
    options = {"fit_intercept": problem.fit_intercept, "tol": tol, "max_iter": max_iter, "check": check}
    ends = fit_gram_path(K, loss, penalties, start=start, **options)
    return SetPath(loss, penalties, *ends, matrix.n_passes)


def fit_gram_path(K, loss, penalties, *, start, fit_intercept, tol, max_iter, check):
    """Fits of one set of weights under a falling penalty, in the span of the samples.

    Parameters
    ----------
    K, fit_intercept, tol, max_iter, check
        See `fit_set`.
    loss : LogisticLoss
    penalties : list of L2
    start : tuple of array of shape (n_samples,) and float, or None
        Raw predictions without the intercept, and the intercept, for the first penalty.

    Returns
    -------
    a : float64 array of shape (n_fits, n_samples)
        w = X^T a.
    b : float64 array of shape (n_fits,)
    n_iter : int array of shape (n_fits,)
    """
    rows = np.flatnonzero(loss.weights())
    newton = GramNewton(
        LogisticObjective(GramMatrix(K[np.ix_(rows, rows)]), loss.take(rows), L2(1.0), fit_intercept), None
    )
    n_fits = len(penalties)
    a, b, n_iter = np.zeros((n_fits, len(K))), np.zeros(n_fits), np.zeros(n_fits, int)
    path = _Path()
    ahead = None if start is None else (in_span(newton.K, start[0][rows]), start[1])
    places = [-np.log(penalty.strength) for penalty in penalties]  # log C, but for a constant
    for i, penalty in enumerate(penalties):
        newton.change_penalty(penalty, ahead)
        _, n_iter[i], _ = descend(newton, tol=_SAFETY * tol, max_iter=max_iter, callback=lambda _: check())
        a[i, rows], b[i] = newton.point.a, newton.point.b
        if i + 1 < n_fits:
            path.add(places[i], newton.point, newton.tangent())
            ahead = path.ahead(places[i + 1])
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


def certify(matrix, paths, fit_intercept):
    """Coefficients, objectives and certified relative gaps of fits of some sets of weights: three passes.

    Parameters
    ----------
    matrix : DenseMatrix or SmallMatrix
    paths : list of SetPath
    fit_intercept : bool

    Returns
    -------
    coef : float64 array of shape (n_fits, n_features + 1)
        Rows [w, b], path by path.
    values, gaps : float64 arrays of shape (n_fits,)
    """
    penalties = [penalty for path in paths for penalty in path.penalties]
    a, b = (np.concatenate([getattr(path, name) for path in paths]) for name in ("a", "b"))
    coef = np.column_stack([matrix.transposed(a), b])
    losses = [path.loss for path in paths for _ in path.penalties]
    of_loss = zip(*(loss.at(raw) for loss, raw in zip(losses, _raw(matrix, coef), strict=True)), strict=True)
    weight_sums = np.array([loss.weight_sum for loss in losses])
    values, alpha, d = (np.array(part) for part in of_loss)
    values, alpha, d = values / weight_sums, alpha / weight_sums[:, None], d / weight_sums[:, None]
    w = coef[:, :-1]
    values += [penalty.value(row) for penalty, row in zip(penalties, w, strict=True)]
    g_b = alpha.sum(axis=1) if fit_intercept else np.zeros(len(b))
    shifts = np.array([dual_shift(*pair) for pair in zip(g_b, d.sum(axis=1), strict=True)])
    rest = matrix.transposed(alpha - shifts[:, None] * d)
    rest += [penalty.gradient(row) for penalty, row in zip(penalties, w, strict=True)]
    missed = [penalty.dual_bound(square) for penalty, square in zip(penalties, (rest * rest).sum(axis=1), strict=True)]
    bounds = map(bound_of_shift, shifts, g_b, missed)
    gaps = [relative_gap(bound, value) for bound, value in zip(bounds, values, strict=True)]
    return coef, values, np.array(gaps)


def _raw(matrix, coefs):
    """Raw predictions, of shape (n_fits, n_samples)."""
    return np.concatenate([raw.T for _, raw in matrix.predictions(coefs)], axis=1)
