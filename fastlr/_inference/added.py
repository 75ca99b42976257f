"""Columns that are added to a model: score tests, which take no fit with them, and the fits themselves.

With u = sum_i r_i (x) z_i, r_i the residuals of all classes but the base, C_i the second derivatives of the loss and B
the inverse of the information, a score test is u^T V^-1 u,

    V = sum_i C_i (x) z_i z_i^T - M B M^T,    M = sum_i C_i (x) z_i x_i^T

Source: Cox & Hinkley, Theoretical Statistics, 1974, 9.3.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._validation import check_features, check_finite, check_sparse_features
from ..linalg.factor import ScaledCholesky
from ..matrices import matrix_for
from ..objectives.separation import RESTS
from .hypotheses import SINGULAR, TestResult, inverse_form
from .likelihood import likelihood_of
from .profile import restricted_fit
from .separation import direction_of_recession


class AddedFits(NamedTuple):
    """Fits of a model with one column more, one for each of m columns.

    Attributes
    ----------
    coef, std_err : float64 arrays of shape (m,) or (m, n_classes - 1)
        Of the column. Where it separates samples, -inf or inf, and inf; where columns of X make it up, 0 and inf.
    statistic, p_value : float64 arrays of shape (m,)
        Likelihood-ratio test of the column.
    df : int
    """

    coef: np.ndarray
    std_err: np.ndarray
    statistic: np.ndarray
    df: int
    p_value: np.ndarray


def score_of_added(likelihood, inverse, Z, *, jointly):
    """Score tests that columns, added to the model, have coefficients 0: one pass over X and one over Z.

    Parameters
    ----------
    likelihood : Likelihood
        At the optimum of the model.
    inverse : float64 array of shape (n_params, n_params)
        B.
    Z : array-like or sparse matrix of shape (n_samples, m)
    jointly : bool
        Whether it is one test of all, or one for each column.
    """
    added = matrix_for(_added_columns(Z, likelihood.matrix.shape[0], dense=jointly), dtype=np.float64)
    n_added, k = added.shape[1], likelihood.n_rows
    of_row = likelihood.order[: len(likelihood.order) // k]
    width = k * k * (likelihood.shape[1] + n_added if jointly else likelihood.shape[1]) + n_added
    sizes = k, k * k * (n_added if jointly else 1), k * k * len(of_row)
    u, own, mixed = (np.zeros((n_added, size)) for size in sizes)
    for rows, block in added.blocks(width):
        _, base = next(likelihood.matrix.rows_with_ones(first=rows.start, stop=rows.stop))
        curvature = likelihood.curvatures(rows, base).reshape(-1, k * k)
        u += block.T @ likelihood.residuals(rows, base)
        mixed += block.T @ _products(curvature, base[:, of_row])
        if jointly:
            own += block.T @ _products(curvature, block)
        else:
            own += (block.multiply(block) if sparse.issparse(block) else block * block).T @ curvature
    mixed = mixed.reshape(n_added, k, -1)
    if jointly:
        own = own.reshape(n_added, k, k, n_added).swapaxes(2, 3).reshape(n_added * k, -1)
        mixed = mixed.reshape(n_added * k, -1)
        singular = "the columns of Z, or of X and Z together, are collinear"
        left = own - mixed @ inverse @ mixed.T
        if not (left.diagonal() > SINGULAR * own.diagonal()).all():
            raise ValueError(singular)
        return TestResult.of(inverse_form(u.ravel(), left, singular), n_added * k)
    left = own.reshape(-1, k, k) - (mixed @ inverse) @ mixed.swapaxes(1, 2)
    return TestResult.of(_forms(u, left, own.reshape(-1, k, k)), k)


def _products(curvature, columns):
    """Curvatures (x) columns, sample by sample, of shape (n, k k m)."""
    return (curvature[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)


def _forms(u, left, own):
    """u_j^T left_j^-1 u_j; 0 where next to nothing is left of `own`, and so nothing to test."""
    diagonal = np.einsum("jaa->ja", own)
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0.0)
    values, vectors = np.linalg.eigh(left * scale[:, :, None] * scale[:, None, :])
    new = values[:, 0] > SINGULAR
    squares = np.einsum("jab,ja->jb", vectors, u * scale) ** 2
    return np.divide(squares, values, out=np.zeros_like(values), where=new[:, None]).sum(axis=1)


def fits_with_added(problem, likelihood, best, Z):
    """A fit for each column of Z, beside a copy of X: `AddedFits`.

    Parameters
    ----------
    problem : Problem
        Without a penalty.
    likelihood : Likelihood
    best : (float64 array of shape (n_params,), float)
        Estimates of the model and their log-likelihood.
    Z : array-like or sparse matrix of shape (n_samples, m)
    """
    params, log_likelihood = best
    Z, k = _added_columns(Z, likelihood.matrix.shape[0], dense=True), likelihood.n_rows
    start = np.column_stack([params.reshape(k, -1), np.zeros(k)]).ravel()
    last = np.arange(1, k + 1) * (len(start) // k) - 1  # places of the column's coefficients
    coef, std_err = np.zeros((Z.shape[1], k)), np.full((Z.shape[1], k), np.inf)
    statistic = np.zeros(Z.shape[1])
    for j, X in enumerate(_with_each(problem.X, Z)):
        larger = likelihood_of(replace(problem, X=X), likelihood.base, likelihood.matrix.team)
        if ScaledCholesky(larger.curved(start)[2]).is_singular:
            continue
        fit = restricted_fit(larger, start, [])
        statistic[j] = max(0.0, -2.0 * (log_likelihood + fit.value))
        factor = ScaledCholesky(fit.curvature)
        coef[j], std_err[j] = fit.params[last], np.sqrt(factor.inverse().diagonal())[last]
        direction = direction_of_recession(larger, fit.params, factor)
        if direction is not None:
            goes = np.abs(direction[last]) > RESTS * np.abs(direction[last]).max()
            coef[j, goes], std_err[j, goes] = np.copysign(np.inf, direction[last[goes]]), np.inf
    shape = (-1,) if k == 1 else (-1, k)
    test = TestResult.of(statistic, k)
    return AddedFits(coef.reshape(shape), std_err.reshape(shape), statistic, k, test.p_value)


def _with_each(X, Z):
    """X with each column of Z behind: the next takes the place of the one before."""
    if sparse.issparse(X):
        for column in Z.T:
            yield check_sparse_features(sparse.hstack([X, sparse.csr_array(column[:, None], dtype=np.float64)], "csr"))
        return
    wider = np.empty((X.shape[0], X.shape[1] + 1))
    wider[:, :-1] = X
    for column in Z.T:
        wider[:, -1] = column
        yield check_features(wider)


def _added_columns(Z, n_samples, *, dense):
    if sparse.issparse(Z):
        Z = check_sparse_features(Z, "Z")
        Z = Z.toarray() if dense else Z
    Z = Z if sparse.issparse(Z) else check_features(Z, "Z")
    if Z.shape[0] != n_samples:
        raise ValueError(f"Z must have a row for each of the {n_samples} samples, got {Z.shape[0]}")
    check_finite(Z, "Z")
    return Z
