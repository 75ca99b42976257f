"""Loss plus penalty over a design, spelled once.

Conventions
-----------
With S the sum of the sample weights s_i, z_i = x_i . w + b, and ``coef = [w, b]`` of shape (n_features + 1,),

    f(coef) = 1/S sum_i s_i loss(z_i, y_i) + l2/2 |w|^2

The intercept comes last and is never penalised; without one it stays 0 and its gradient is set to 0. scikit-learn's
C, which weighs the summed loss against |w|^2/2, is l2 = 1 / (C S): `l2_from_C`.
"""

import numpy as np


def l2_from_C(C, weight_sum):
    """Penalty on the mean loss that has the same optimum as scikit-learn's C; 0 for C = inf."""
    return 1.0 / (C * weight_sum)


class LogisticObjective:
    """Mean logistic loss with an L2 penalty.

    Parameters
    ----------
    design : DenseDesign
        X, targets, weights.
    l2 : float
        Strength of the penalty, >= 0.
    fit_intercept : bool
        Whether b is free.
    """

    def __init__(self, design, *, l2=0.0, fit_intercept=True):
        self.design = design
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.n_coef = design.shape[1] + 1

    def loss_gradient(self, coef):
        """Value and gradient of f at coef: one pass over X.

        Returns
        -------
        value : float
        gradient : float64 array of shape (n_features + 1,)
        """
        loss, gradient = self.design.loss_gradient(coef)
        gradient /= self.design.weight_sum
        value = loss / self.design.weight_sum
        if self.l2:
            gradient[:-1] += self.l2 * coef[:-1]
            value += 0.5 * self.l2 * float(coef[:-1] @ coef[:-1])
        if not self.fit_intercept:
            gradient[-1] = 0.0
        return value, gradient
