"""The logistic loss with Firth's penalty: minus half the logarithm of the determinant of the information.

With p the probabilities, H the second derivative of the summed loss and h_i = c_i x_i^T H^-1 x_i the leverages,

    f(coef) = 1/S (sum_i s_i loss_i - 1/2 log |H|),    S grad f = sum_i (s_i r_i + h_i (p_i - 1/2)) x_i

It takes the first term of the bias out of the estimates, and they are finite where classes are separated. The
intercept is one of the parameters that it counts. H steers steps well: what the penalty bends is of the order of 1.

Sources: Firth, Bias reduction of maximum likelihood estimates, Biometrika 80, 1993; Heinze & Schemper, A solution to
the problem of separation in logistic regression, Statistics in Medicine 21, 2002.
"""

import numpy as np

from ..linalg.factor import ScaledCholesky
from .logistic import LogisticObjective
from .penalties import L2


class FirthObjective(LogisticObjective):
    """Mean logistic loss with Firth's penalty.

    Parameters
    ----------
    matrix : Matrix
        Its products computed in float64.
    loss : LogisticLoss
    fit_intercept : bool

    Attributes
    ----------
    mean_loss : float
        Without the penalty, at the last `curved`.
    """

    def __init__(self, matrix, loss, fit_intercept):
        super().__init__(matrix, loss, L2(0.0), fit_intercept)

    def curved(self, coefs):
        """Value and gradient of f at coefs, and H / S: three passes, and one for leverages.

        Returns
        -------
        value : float
            inf where columns are collinear.
        gradient : float64 array of shape (1, n_features + 1)
        hessian : float64 array of shape (n_features + 1, n_features + 1)
        """
        self.mean_loss, gradient = self.loss_gradient(coefs)
        hessian, total = self.hessian(), self.loss.weight_sum
        factor = ScaledCholesky(hessian)
        inverse = factor.inverse() / total
        if not self.fit_intercept:
            inverse[-1, -1] = 0.0
        self.matrix.leverages(self.loss, inverse)
        pull = self.matrix.intercept_column(self.loss.towards_half())
        if not self.fit_intercept:
            pull[-1] = 0.0
        if factor.is_singular:
            return np.inf, gradient, hessian
        n_params = self.n_coef - (not self.fit_intercept)
        half = 0.5 * (factor.log_determinant + n_params * float(np.log(total)))
        return self.mean_loss - half / total, gradient + pull / total, hessian
