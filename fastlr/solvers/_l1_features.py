"""Features that `prox_newton` works on, and how it makes steps with them.

Their Hessian, once formed, is kept and corrected while steps with it gain what a new one would cost. Where it is dear
to begin with, steps descend along the columns of X.

Sources: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 6.1 (the correction), 10.3 (damped steps).
"""

import copy

import numpy as np
from scipy.linalg.blas import dger

from ..objectives import relative_gap
from ._l1_models import ColumnModel, HessianModel

ALL_COEFFICIENTS = 300  # up to here there is no working set
LARGEST_HESSIAN = 6_000  # coefficients: it takes 0.3 GB, and some copies
# Passes from which on a Hessian is dear: columns of a sparse X are rarely alike, so descents are quick.
_DEAR, _DEAR_SPARSE = 100, 10
_DEARER = 2.0  # times the passes in which a descent did not arrive: a Hessian of so many, and it is tried again
_FEWEST_OF_CLASSES = 100  # in a model of many classes
_GROWTH_OF_CLASSES = 1.5  # of what is not zero, at most
_SLACK = 5  # features of the support for each that is in the working set unwanted
_FLAT = 1e-10
_NEARER = 0.5  # of the gap of a step, the one that a correction must leave
_SHORT = 0.25  # a length from which on the model was wrong about the step
_DAMPINGS = 1e-9, 1e-3, 1e3  # the last before none, the first and the largest
_CHEAP = 30_000_000  # multiply-adds: a Hessian that takes no more is not kept, nor one of sparse X


class Features:
    """Some of the features, or all, the objective over them, and a Hessian there that is kept while it is worth it.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
        Over all features.
    places : int64 array
        Ascending indices of features.
    before : Features, optional
        What this fit had before.
    """

    def __init__(self, objective, places, before=None):
        n_features = objective.matrix.shape[1]
        self.matrix = objective.matrix  # of all features
        self.members = np.append(places, n_features)  # and intercepts
        self.is_whole = len(places) == n_features
        self.objective = objective if self.is_whole else objective.columns(places)
        self.end = None  # of a fit: coefficients, value and gradient where the objective was evaluated last
        self._places = self._hessian = None  # coefficients that the model has, and its matrix
        self._debt = 0.0  # passes since it was formed that a new one might have spared
        self._damping, self._enough = 0.0, _DAMPINGS[1]  # now, and when it was last of use
        self.is_fresh = False  # whether it is that of where the last step began
        self._descended = before._descended if before is not None else 0.0  # passes that were too few, at most

    def with_penalty(self, penalty):
        """The same features, Hessian and end under another penalty."""
        other, before = copy.copy(self), self.objective.penalty
        other.objective = self.objective.with_penalty(penalty)
        change = penalty.diagonal - before.diagonal
        coef, value, gradient = self.end
        W, gradient = coef[:, :-1], gradient.copy()
        gradient[:, :-1] += change * W
        other.end = coef, value - before.value(W) + penalty.value(W), gradient
        if self._hessian is not None:
            other._hessian = self._hessian.copy()
            other._hessian.flat[:: len(self._hessian) + 1] += change * ~self._is_intercept(self._places)
        return other

    def forget(self):
        """Have the Hessian formed anew at the next step."""
        self._hessian = None

    def dampen(self, length):
        """Have the model bend more after a short step, less after a long one; False where that is of no more use.

        Samples far on the wrong side hardly bend it, and a feature that few others have would go without end.
        """
        if length == 0.0 or (length < _SHORT and self._hessian is not None):
            self._damping = max(10.0 * self._damping, self._enough)
        elif self._damping:
            self._enough = self._damping
            self._damping = 0.1 * self._damping if self._damping > _DAMPINGS[0] else 0.0
        return 0.0 < self._damping <= _DAMPINGS[2]

    def mend(self, step):
        """Have the model bend more where a step that fails goes too far, else no longer; False if it did neither."""
        if self.goes_too_far(step):
            return self.dampen(0.0)
        was_damped, self._damping = self._damping > 0.0, 0.0
        return was_damped

    def _is_intercept(self, places):
        width = self.objective.shape[1]
        return places % width == width - 1

    def _wanted(self, coef, gradient):
        """Coefficients, as indices of `coef.ravel()`, that the model needs, and those it is to have: of few all."""
        n_rows, width = self.objective.shape
        if n_rows == 1 or coef.size <= ALL_COEFFICIENTS:
            return (np.arange(coef.size),) * 2
        W, l1 = coef[:, :-1].reshape(1, -1), self.objective.penalty.l1
        a = (gradient[:, :-1] - self.objective.penalty.gradient(coef[:, :-1])).reshape(1, -1)
        needed = np.flatnonzero((W != 0.0) | (np.abs(a) > l1))
        chosen = working_set(a, W, l1, _FEWEST_OF_CLASSES, _GROWTH_OF_CLASSES)
        intercepts = np.arange(1, n_rows + 1) * width - 1
        return tuple(np.union1d(some + some // (width - 1), intercepts) for some in (needed, chosen))

    def step(self, coef, value, gradient, tol, limit):
        """The step that minimises the model, and what it says of the gap.

        Parameters
        ----------
        coef, gradient : float64 arrays of the objective's shape
        value : float
        tol, limit : float
            Gaps that are asked for of the fit, and of this step.

        Returns
        -------
        step, product : float64 arrays of the shape of `coef`, or None where there is no Hessian
            And the Hessian's product with it, roughly where the gap is inf.
        rough : float
            The gap as the model has it.
        gap : float
            A bound, of steps that are not too long; inf where that would cost a product and promises no more than
            `limit`.
        """
        step, product, gap = self._descent(coef, value, gradient, tol)
        if step is not None:
            return step, product, gap, gap
        needed, wanted = self._wanted(coef, gradient)
        is_kept = self._is_worth_keeping(needed)
        if is_kept:
            step, product, rough = self._model_step(coef, value, gradient)
            # What a step costs, with the model's few factors; with a new Hessian one may have done.
            size, n_samples = len(self._hessian), self.objective.matrix.shape[0]
            self._debt += 1.0 + self.objective.matrix.hessian_cost(size) * size / n_samples
        self.is_fresh = not is_kept
        if self.is_fresh:
            self._places, self._hessian, self._debt = wanted, self._form(wanted), 0.0
            if not np.isfinite(self._hessian).all():
                self.forget()
                return None, None, np.inf, np.inf
            step, product, rough = self._model_step(coef, value, gradient)
        gap = np.inf
        if self.is_fresh and step.size == len(self._places):
            gap = rough
        elif rough <= limit:
            step, product, gap = self._refined(coef, value, gradient, step, limit)
        return step, product, rough, gap

    def _descent(self, coef, value, gradient, tol):
        """The step by descent along columns, its product and gap; None where a Hessian is cheaper, or was after all."""
        objective = self.objective
        is_large, cost = objective.n_coef > LARGEST_HESSIAN, objective.hessian_cost
        dear = _DEAR_SPARSE if objective.matrix.is_sparse else _DEAR
        has_columns = len(coef) == 1 and objective.matrix.in_memory
        if not (has_columns and (is_large or cost > max(dear, _DEARER * self._descended))):
            return None, None, np.inf
        damping = self._damping * float(self._bend().mean()) if self._damping else 0.0
        bent = objective.with_penalty(objective.penalty.bent(damping)) if damping else objective
        model = ColumnModel(bent, coef, value, gradient, tol)
        last_pass = np.inf if is_large else objective.n_passes + cost
        if not model.minimise(last_pass) and objective.n_passes >= last_pass:
            self._descended = cost  # and will again: its columns are alike
            return None, None, np.inf
        self.forget()
        self.is_fresh = True
        gap = np.inf if damping else objective.step_gap(coef, value, gradient, model.step, model.product)
        return model.step, model.product, relative_gap(gap, value)

    def _bend(self):
        """The most that single coefficients of a class bend the loss, the intercept's as 0."""
        return np.append(0.25 * self.objective.standardisation()[1], 0.0)

    def goes_too_far(self, step):
        """Whether the dual point of a step may not be one; along a path most often known without reading X."""
        objective = self.objective
        return not (self.end and objective.reach(step) <= 1.0) and not objective.overshoot(step) <= 1.0

    @property
    def keeps_hessian(self):
        """Whether there is a Hessian that was dear."""
        matrix, hessian = self.objective.matrix, self._hessian
        return not (hessian is None or matrix.is_sparse or matrix.shape[0] * len(hessian) ** 2 < _CHEAP)

    def _is_worth_keeping(self, needed):
        """Whether the Hessian at hand has what the model needs, and has not cost as much as a new one yet."""
        if not self.keeps_hessian or not np.isin(needed, self._places).all():
            return False
        return self._debt < self.objective.matrix.hessian_cost(len(self._hessian))

    def _refined(self, coef, value, gradient, step, limit):
        """The step corrected by products with the Hessian of `coef`, its own product, and the gap, a bound."""
        objective, gap = self.objective, np.inf
        product = objective.hessian_product(step)
        self.learn(step, product)
        while True:
            before, gap = gap, relative_gap(objective.step_gap(coef, value, gradient, step, product), value)
            if gap <= limit or not gap <= _NEARER * before:
                return step, product, gap
            more, *_ = self._model_step(coef + step, value, gradient + product)
            change = objective.hessian_product(more)
            self._debt += 1.0
            self.learn(more, change)
            step, product = step + more, product + change

    def learn(self, step, change):
        """Correct the Hessian by what a step changes the gradient."""
        if self._hessian is not None:
            correct(self._hessian, step.ravel()[self._places], change.ravel()[self._places])

    def _form(self, places):
        objective = self.objective
        return objective.hessian() if len(places) == objective.n_coef else objective.hessian(places)

    def _model_step(self, coef, value, gradient):
        objective, places, hessian = self.objective, self._places, self._hessian
        rows = _rows_of_classes(places, objective.shape)
        if self._damping:  # what classes share is damped like all
            rows, hessian = rows[:, :0], hessian.copy()
            bend = self._bend()
            hessian.flat[:: len(hessian) + 1] += self._damping * bend[places % len(bend)]
        at = coef.ravel()[places], gradient.ravel()[places], self._is_intercept(places)
        part = HessianModel(objective.penalty, hessian, *at, rows).minimise()
        step, product = np.zeros((2, *coef.shape))
        step.flat[places], product.flat[places] = part, self._hessian @ part
        if self._damping:
            return step, product, np.inf
        return step, product, relative_gap(objective.step_gap(coef, value, gradient, step, product), value)


def correct(hessian, s, y):
    """Correct a Hessian by what a step s changes the gradient: Broyden, Fletcher, Goldfarb and Shanno's formula."""
    Bs = hessian @ s
    curvature, length2 = float(s @ y), float(s @ Bs)
    if curvature > _FLAT * np.sqrt((s @ s) * (y @ y)) and length2 > 0.0:
        # In place: the transpose is the matrix, in BLAS's order.
        dger(1.0 / curvature, y, y, a=hessian.T, overwrite_a=1)
        dger(-1.0 / length2, Bs, Bs, a=hessian.T, overwrite_a=1)


def _rows_of_classes(places, shape):
    """Where, of the coefficients that are no intercepts, those are whose feature is there with all classes.

    Returns
    -------
    int64 array of shape (n_classes, m)
        Of shape (1, 0) for two classes.
    """
    n_classes, width = shape
    features = places[places % width != width - 1] % width
    is_whole = (np.bincount(features, minlength=width) == n_classes) & (n_classes > 1)
    at = np.flatnonzero(is_whole[features])
    return at[np.argsort(features[at], kind="stable")].reshape(-1, n_classes).T


def working_set(a, W, l1, fewest, growth):
    """Features to be looked at: those that are not zero, and of all other the ones with the largest |a|."""
    support = np.flatnonzero(W.any(axis=0))
    pull = np.abs(a).max(axis=0)
    pull[support] = np.inf
    n_wanted = np.count_nonzero(pull > l1)  # with those of the support
    size = min(a.shape[1], max(fewest, min(int(growth * support.size), n_wanted + support.size // _SLACK)))
    return np.sort(np.argpartition(pull, -size)[-size:])
