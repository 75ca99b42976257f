"""The certificate from a step of Newton's method, for two classes and for many: all there is without a penalty.

Without a penalty the coefficients of a dual point must solve X^T alpha = 0 exactly, and what is missing cannot be
bounded from the residual alone: along a direction of next to no curvature a small residual may leave a long way to go.
So the equations of the Newton step, H d = -g, are solved until what the residual r = g + H d leaves undone could no
longer matter, were the curvature in any direction as small as rounding lets columns be told apart. By the bound of
`logistic` and the triangle inequality, |v|^2 = v^T H v,

    f(coef) - f* <= g^T H^-1 g = |H^-1 g|^2 <= (|d| + |H^-1 r|)^2,     |H^-1 r|^2 = r^T H^-1 r

where the dual point of d, q = p + J z_d, has no negative entry (`overshoot` of the objectives). r^T H^-1 r is at most
the squared length of r, in coordinates of standardised columns, divided by the smallest curvature there is in these.
That is not known. `_NO_CURVATURE` stands for it: where columns are so nearly collinear that there is less, they agree
to ten digits, and count as collinear.

With an L2 penalty the bound on what a residual leaves undone is the one from a gradient, times two. The gradient itself
has a rounding that grows with the largest columns, where the penalty is on coefficients which are as small: divided by
its strength that is no certificate, but the residual is as much smaller than the gradient as there are digits.

Sources: those of `logistic`; Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 5.1 (residuals and errors).
"""

import numpy as np

_NO_CURVATURE = 1e-20


class NewtonBound:
    """Bounds on f - f* from steps of Newton's method.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
        Without a penalty or with an L2 one, its products computed in float64.

    Attributes
    ----------
    rounding : float
        What a residual that is all rounding adds to a bound.
    """

    rounding = float(np.finfo(np.float64).eps) ** 2 / _NO_CURVATURE

    def __init__(self, objective):
        self._objective = objective
        if objective.penalty:  # which bounds residuals without the columns' variances
            return
        self._mean, variance = objective.standardisation()
        self._variance = np.where(variance == 0.0, np.inf, variance)
        self._variance[objective.made_up or []] = np.inf
        self._known = np.isfinite(variance).all()

    def standardised(self, gradient):
        """A gradient, in coordinates of standardised columns, mapped to a direction: both of shape (k, n + 1)."""
        direction = np.empty_like(gradient)
        w = direction[:, :-1] = (gradient[:, :-1] - gradient[:, -1:] * self._mean) / self._variance
        direction[:, -1] = gradient[:, -1] - w @ self._mean
        return direction

    def unresolved(self, length2):
        """Bound on r^T H^-1 r for a residual r of this squared length, r^T `standardised(r)`.

        Returns
        -------
        float
            inf where columns have squares beyond float64.
        """
        return length2 / _NO_CURVATURE if self._known else np.inf

    def __call__(self, gradient, direction):
        """Bound on f - f* where `loss_gradient` was last evaluated: two or three passes.

        Parameters
        ----------
        gradient, direction : float64 arrays of shape (k, n_features + 1)
            The direction solves H d = -g, more or less.
        """
        # A step that goes too far is shortened; if by more than a hair, that shows in its residual.
        direction = direction / max(1.0, self._objective.overshoot(direction))
        residual = gradient + self._objective.hessian_product(direction)
        length2 = max(0.0, float(np.vdot(direction, residual - gradient)))
        if self._objective.penalty:
            undone = 2.0 * self._objective.gap_bound(residual)
        else:
            undone = self.unresolved(float(np.vdot(residual, self.standardised(residual))))
        return (np.sqrt(length2) + np.sqrt(undone)) ** 2
