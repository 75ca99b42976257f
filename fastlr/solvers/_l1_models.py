"""What a step of `prox_newton` minimises: the quadratic model of the smooth part, plus the penalty.

Two forms of one thing: `HessianModel` knows the Hessian and solves its equations; `ColumnModel`, where that would cost
more than passes over the columns of X do, descends along these and solves the equations of what is not zero by
conjugate gradients, no further than the step is worth.

Sources: Friedman, Hastie & Tibshirani, Regularization paths for generalized linear models via coordinate descent,
J. Stat. Softw. 33, 2010 (both forms of the descent); Yuan, Ho & Lin, An improved GLMNET for L1-regularized logistic
regression, JMLR 13, 2012 (inexact steps).
"""

import numpy as np

from ..linalg.factor import ScaledCholesky
from ..linalg.lapack import DPOTRF
from ._conjugate_gradients import newton_direction

_FACES = 20  # changes of signs that one model may take
_FACTORED = 2e8  # multiply-adds of factors after the first that may follow each other without coordinate descent;
# where a single one takes more, models are solved no further than the step is worth
_SWEEPS = 3  # of coordinate descent, before the equations of what is not zero are tried
_EXACT = 1e-12  # of the largest threshold: the model is solved to rounding,
_ROUNDING = 1e-14  # which is that of its terms;
_VISIBLE = 1e-7  # of that threshold, where that is more

_NEAR = 1e-5  # a gradient, in thresholds, from which there is one step to go
_SHARE, _SHARE_OF_FACTORS = 0.1, 0.01  # of its gradient that a step may leave at most
_CLOSE = 0.3  # of the gradient that is enough: changes of a sweep of which that is left, as a rule
_LEFT = 0.3  # of the gradient on a face, where signs change on the way to what solves its equations
_SHORTER = 0.25  # times a step along which too many signs would change
_HALF = 0.5  # of the tolerance, for what a step leaves; the rest is for what it misses


class HessianModel:
    """Quadratic model of the smooth part at some coefficients, plus the penalty, the intercepts at their best.

    All is in one dimension; `is_intercept` says where intercepts are, and `rows`, of shape (n_classes, m), where the
    coefficients of features are of which all classes are there: what these share, the smooth part does not see.
    """

    def __init__(self, penalty, hessian, coefs, gradient, is_intercept, rows):
        self._penalty, self._rows = penalty, rows
        self._w, self._b = np.flatnonzero(~is_intercept), np.flatnonzero(is_intercept)
        if len(self._b) == 1:  # a view is no copy
            self._w, self._b = slice(None, -1), slice(-1, None)
        inner = hessian[self._b][:, self._b]
        # Equal shifts of all intercepts change nothing; taken out of the matrix, it can be inverted.
        self._inner = ScaledCholesky(inner + inner.trace() / len(inner) * (len(inner) > 1))
        self._across = hessian[self._b][:, self._w]
        self._of_w = self._inner.solve(self._across)
        self._of_gradient = self._inner.solve(gradient[self._b])
        self._H = hessian[self._w][:, self._w] - self._across.T @ self._of_w
        self._start = coefs[self._w]
        self._threshold = np.full(self._start.size, penalty.l1)
        self._v = self._start.copy()
        self._pull = gradient[self._w] - self._across.T @ self._of_gradient
        self._q = self._pull.copy()

    def minimise(self):
        """Where the model is smallest, but for rounding: a step from the coefficients."""
        # Here, because all solvers are imported where a small fit is made.
        from ..kernels.coordinates import descend
        from ..kernels.faces import solve_faces, space_for

        terms = self._H.diagonal() * np.abs(self._v) + np.abs(self._q)
        rounding = _ROUNDING * terms.max(initial=0.0)
        tol = max(_EXACT * self._penalty.l1, rounding)
        if self._v.size**3 / 6.0 > _FACTORED:
            left = violation(self._v, self._q, self._threshold) / self._penalty.l1
            tol = max(tol, forced(left, _SHARE_OF_FACTORS) * self._penalty.l1)
        left, space = _FACTORED, space_for(self._v.size, DPOTRF)
        for _ in range(_FACES):
            descend(self._H, self._threshold, self._v, self._q, _SWEEPS, tol)
            self._centre()
            # Faces follow each other, fewer each time: coordinates in between would go back and forth.
            rest, left = solve_faces(self._H, self._threshold, self._v, self._q, left, space)
            if rest <= tol:
                break
        step = np.empty(self._start.size + len(self._across))
        change = self._v - self._start
        if tol == rounding > _VISIBLE * self._penalty.l1:
            change += self._correction(change)
        step[self._w] = change
        step[self._b] = -self._of_gradient - self._of_w @ change
        return step

    def _correction(self, change):
        """What the equations leave of a step, which has digits that the coefficients have no room for."""
        places = np.flatnonzero(self._v)
        left = self._pull + self._H @ change + self._threshold * np.sign(self._v)
        correction = np.zeros_like(change)
        correction[places] = -ScaledCholesky(self._H[np.ix_(places, places)]).solve(left[places])
        return correction

    def _centre(self):
        """Take off what classes share: coordinates one by one, or equations that are singular in it, are slow to."""
        if not self._rows.size:
            return
        v = self._v[self._rows]
        shared = self._penalty.common_part(v)
        self._v[self._rows] = v - shared
        self._q[self._rows] -= self._penalty.diagonal * shared


class ColumnModel:
    """The model of two classes, its Hessian never formed.

    Parameters
    ----------
    objective, coefs, value, gradient, tol
        See `Features.step`.

    Attributes
    ----------
    step, product : float64 arrays of shape (1, n_features + 1)
        So far.
    """

    def __init__(self, objective, coefs, value, gradient, tol):
        self._objective, self._gradient, self._w = objective, gradient, coefs[0, :-1]
        self._threshold = np.full(len(self._w), objective.penalty.l1)
        first, _, total = self._moments = objective.column_moments()
        self._precondition = objective.preconditioner(moments=self._moments)
        self._of_intercept = np.append(first, total) / objective.loss.weight_sum
        self.step, self.product = np.zeros_like(coefs), np.zeros_like(coefs)
        # The last step, from where values hardly differ, leaves what rounding does, or what the tolerance allows.
        self._least = max(_HALF * tol, _ROUNDING) * objective.penalty.l1
        self._rough = max(forced(self._violation() / objective.penalty.l1) * objective.penalty.l1, self._least)
        self._enough = self._rough  # for now
        self._last_worth = np.sqrt(tol) * value  # where the step ends, the gap is its square, or less

    def minimise(self, last_pass):
        """Step until little is left of the gradient: True; or until about so many passes are made, or it is slow."""
        share = _CLOSE
        for _ in range(_FACES):
            if self._objective.n_passes >= last_pass:
                return False
            model = self._gradient, self._w, self._threshold, self._moments
            is_done = self._objective.descend(*model, self.step, share * self._enough)
            self._multiply()
            if self._is_solved():
                return True
            if is_done:
                share *= _CLOSE  # for changes within which more is left
            elif self._is_settled():
                for _ in range(_FACES):  # less each time; coordinates in between would go back and forth
                    if self._solve_face(last_pass):
                        break
                if self._is_solved():
                    return True
        return False

    def _is_solved(self):
        """Whether enough is solved; of a step that is the last, all that the gap would show.

        One that goes too far is not the last, as its end has no certificate.
        """
        violation, W = self._violation(), self.step[:, :-1]
        worth = float(np.vdot(self.step, self.product)) - self._objective.penalty.diagonal * float(np.vdot(W, W))
        is_last = violation <= self._rough and worth <= self._last_worth and self._objective.overshoot(self.step) <= 1.0
        self._enough = self._least if is_last else self._rough
        return violation <= self._enough

    def _is_settled(self):
        """Whether what is zero leaves less than what is not: signs do not change much any more."""
        q, v = (self._gradient + self.product)[0, :-1], self._w + self.step[0, :-1]
        face = v != 0.0
        inside = violation(v[face], q[face], self._threshold[face])
        return inside >= violation(v[~face], q[~face], self._threshold[~face])

    def _solve_face(self, last_pass):
        """Improve by conjugate gradients what is not zero; False where one became zero on the way."""
        v = self._w + self.step[0, :-1]
        face = np.append(v != 0.0, True)
        sides = (self._gradient + self.product + np.append(self._threshold * np.sign(v), 0.0)) * face
        largest = np.inf

        def precondition(residual):
            nonlocal largest
            residual = residual * face
            largest = np.abs(residual).max()
            return self._precondition(residual) * face

        def is_enough(_, change):
            if largest <= 0.5 * self._enough or self._objective.n_passes >= last_pass:
                return True
            # Where signs change, this face is left.
            return largest <= _LEFT * np.abs(sides).max() and bool(((v + change[0, :-1]) * v < 0.0).any())

        change = newton_direction(self._objective, sides, precondition, is_enough)[0]
        before = self._gradient + self.product
        for new in _ends(v, change[:-1]):
            self.step[0, :-1] = new - self._w
            self._multiply()
            after = self._gradient + self.product
            if _change(v, new, before[0, :-1], after[0, :-1], self._threshold) <= 0.0:
                break
        return bool(new[face[:-1]].all()) or self._objective.n_passes >= last_pass

    def _multiply(self):
        """The product of the Hessian with the step, whose intercept is made the best."""
        self.product = self._objective.hessian_product(self.step)
        if self._objective.fit_intercept and self._of_intercept[-1] > 0.0:
            shift = -(self._gradient[0, -1] + self.product[0, -1]) / self._of_intercept[-1]
            self.step[0, -1] += shift
            self.product[0] += shift * self._of_intercept

    def _violation(self):
        q = (self._gradient + self.product)[0]
        return max(violation(self._w + self.step[0, :-1], q[:-1], self._threshold), abs(q[-1]))


def forced(left, share=_SHARE):
    """What a step may leave of the gradient, where it is `left`, both in thresholds.

    A gradient that leaves a share of the threshold makes a gap of that share. So steps converge quadratically.
    """
    return min(share, left) * left if left > _NEAR else 0.0


def _ends(v, step):
    """Where a step may end, the boldest first: what would change its sign at zero; at last up to where one does."""
    lengths = np.full(len(v), np.inf)
    crossing = ((v + step) * v <= 0.0) & (v != 0.0)
    lengths[crossing] = -v[crossing] / step[crossing]
    first, length = lengths.min(initial=1.0), 1.0
    while length > first:
        yield np.where(lengths <= length, 0.0, v + length * step)
        length *= _SHORTER
    yield np.where(lengths <= first, 0.0, v + first * step)


def _change(v, new, q, new_q, threshold):
    """How a model and its penalty change from v to new, with gradients q and new_q of the model there."""
    return float(0.5 * (q + new_q) @ (new - v) + threshold @ (np.abs(new) - np.abs(v)))


def violation(v, q, threshold):
    """How far the gradient q of a model is from a subgradient of the penalty, at most."""
    each = np.where(v == 0.0, np.maximum(np.abs(q) - threshold, 0.0), np.abs(q + threshold * np.sign(v)))
    return float(each.max(initial=0.0))
