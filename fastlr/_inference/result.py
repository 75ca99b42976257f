"""What `fastlr.inference` returns."""

import numpy as np
from scipy import sparse

from .._validation import check_choice, check_features, check_flag, check_offset
from ..linalg.blas import single_threaded_blas
from ..matrices import matrix_for
from .diagnostics import diagnostics
from .effects import KINDS, MarginalEffects, average_effects, binary_features, samples_at
from .prediction import Prediction, predict
from .table import check_level
from .tested import Tested


class Inference(Tested):
    """Errors, tests and intervals of a fitted model; from `fastlr.inference`.

    Arrays of parameters have the shape (n_params,) for two classes, else (n_classes - 1, n_params): a row for each
    class but the base. The intercept, "const", comes first. An `Inference` holds on to the X and y it was made from,
    uncopied; when it is pickled they are left behind, with all that needs them.

    Attributes
    ----------
    names : list of str
        Of the parameters of a row: "const" and the columns of X, "x0", "x1", ... where these have no names.
    classes : array of shape (n_classes,)
    base : label
        The class that others are compared with.
    coef, std_err, z, p_values : float64 arrays of parameters
        Estimates, their standard errors, their ratio, and its two-sided p-value by a standard normal distribution.
    covariance : float64 array of shape (n, n)
        Of all n parameters, row after row.
    cov_type : str
    information : float64 array of shape (n, n)
        Minus the second derivative of the log-likelihood.
    n_samples : float
        The sum of frequencies, or the number of samples that weigh anything.
    penalty : {None, "l2", "firth"}
    C : float
        Of an L2 penalty, else inf.
    log_likelihood, log_likelihood_null : float
        Of the model, and of the one with an intercept alone, or without anything where the model has no intercept.
    effective_df : float
        Trace of the hat matrix: the number of parameters where there is no penalty.
    df_model, df_resid : float
        `effective_df` less the intercepts, and `n_samples` less `effective_df`.
    aic, bic : float
        -2 `log_likelihood` plus 2, or log(`n_samples`), times `effective_df`.
    pseudo_r2 : PseudoR2
        McFadden's, Cox and Snell's, Nagelkerke's, Tjur's.
    """

    def predict(self, X, level=0.95, *, offset=None):
        """Probabilities with intervals.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        level : float, default=0.95
        offset : array-like of shape (n_samples,), optional
            For two classes; by default 0.

        Returns
        -------
        Prediction
            probability, lower, upper, std_err: of the event, or of all classes where these are more than two.
        """
        _, quantile = check_level(level)
        matrix = self._matrix(X)
        blocks = matrix.rows_with_ones(self.n_rows**2 * matrix.shape[1])
        with single_threaded_blas():
            values = predict(*self._whole(), self._base, blocks, self._offset(offset, matrix), quantile)
        return Prediction(*(value[:, 1] for value in values)) if self.n_rows == 1 else values

    def marginal_effects(self, X=None, *, at="overall", kind="dydx", discrete=True, level=0.95, offset=None):
        """Effects of features on probabilities, with errors by the delta method.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), optional
            Samples to average over, alike; by default those of the model, by their weights.
        at : {"overall", "mean"} or array-like of shape (n_features,), default="overall"
            Averages of the samples' effects, or the effects at the samples' mean, or at these features.
        kind : {"dydx", "eyex", "dyex", "eydx"}, default="dydx"
            "e" instead of "d" for relative changes of the probability, y, or the feature, x.
        discrete : bool, default=True
            Whether features of samples that are all 0 and 1 are changed from 0 to 1, with "dydx" and "eydx".
        level : float, default=0.95
            Of the intervals.
        offset : array-like of shape (n_samples,), optional
            Of X, for two classes; by default 0. Effects at one place are those at the offsets' mean.

        Returns
        -------
        MarginalEffects
            effects, std_err, z, p_values, lower, upper.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        _, quantile = check_level(level)
        check_choice(kind, "kind", KINDS)
        discrete = check_flag(discrete, "discrete") and kind.endswith("dx")
        if X is None:
            with self.at_optimum() as likelihood:
                matrix, weight, offset = likelihood.matrix, likelihood.loss.weights(), self._problem.offset
        else:
            matrix = self._matrix(X)
            weight = np.ones(matrix.shape[0])
        with single_threaded_blas():
            is_binary = binary_features(matrix) if discrete else np.zeros(matrix.shape[1], bool)
            blocks = samples_at(at, matrix, weight, self._offset(offset, matrix), self.n_rows)
            effects, std_err = average_effects(*self._whole(), blocks, kind=kind, discrete=is_binary)
        # Classes in their order, the base in its place; of two, the event alone.
        order = np.argsort(np.insert(np.delete(np.arange(len(self.classes)), self._base), 0, self._base))
        order = 1 if self.n_rows == 1 else order
        return MarginalEffects(self.names[-matrix.shape[1] :], effects[order], std_err[order], is_binary, quantile)

    def diagnostics(self):
        """Leverages, residuals, Cook's distances and the Hosmer-Lemeshow test, for two classes: two passes.

        Returns
        -------
        Diagnostics
        """
        if self.n_rows > 1:
            raise ValueError(f"diagnostics are for two classes, got {len(self.classes)}")
        with self.at_optimum() as likelihood:
            return diagnostics(likelihood, self._inverse, self.df_resid)

    def _offset(self, offset, matrix):
        """Offsets of samples, float64 of shape (n_samples,)."""
        if offset is not None and self.n_rows > 1:
            raise ValueError(f"offset is for two classes, got {len(self.classes)}")
        return check_offset(0.0 if offset is None else offset, matrix.shape[0])

    def _matrix(self, X):
        """X, with the columns of the model."""
        X = self._reader._validated(X, reset=False)
        return matrix_for(X if sparse.issparse(X) else check_features(X), dtype=np.float64)
