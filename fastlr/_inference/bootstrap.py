"""Bootstrap intervals: fits to samples drawn with replacement, all over one X, as sets of weights.

"percentile" intervals are quantiles of the fits' estimates; "bca" ones are quantiles at places that allow for their
bias z0 and for the acceleration a of the estimate, from the influence B u_i of each sample:

    Phi(z0 + (z0 + z) / (1 - a (z0 + z))),   Phi(z0) the share of fits below the estimate,
    a = sum_i (B u_i)^3 / (6 (sum_i (B u_i)^2)^(3/2))

With Firth's penalty u_i are the scores without it, of which it is a share of 1 / n.

Source: Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82, 1987.
"""

from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri

from ..estimators.samples import Samples
from ..fits.firth import fit_firth
from ..fits.many import solve_many
from ..fits.result import ManyFits
from ..runtime.parallel import run_all
from .likelihood import FirthLikelihood

KINDS = ("percentile", "bca")
_TOL = 1e-8  # of the fits: far below what draws differ by
_MAX_ITER = 100


def drawn_weights(weight, n_samples, *, counts, seed):
    """How often, by weight, samples are drawn: a function of the number of the draw.

    Parameters
    ----------
    weight : float64 array of shape (n_samples,) or (0,)
    n_samples : int
    counts : bool
        Whether weights are frequencies, each copy of which is drawn for itself.
    seed : int
    """
    if weight.size and counts and (weight != np.rint(weight)).any():
        raise ValueError('sample_weight must hold whole numbers to draw copies: pass weights="precision" for others')
    present = weight > 0.0 if weight.size else np.ones(n_samples, bool)
    share = weight if weight.size and counts else present.astype(np.float64)
    total = int(share.sum())
    share = share / share.sum()

    def weight_of(draw):
        often = np.random.default_rng([seed, draw]).multinomial(total, share).astype(np.float64)
        return often * weight if weight.size and not counts else often

    return weight_of


def draws(problem, classes, likelihood, params, weight_of, n_draws, n_threads):
    """Estimates from draws; `params` are those of all samples.

    Returns
    -------
    params : float64 array of shape (n_draws, n_params)
    fits : ManyFits
    """
    if isinstance(likelihood, FirthLikelihood):
        fits = _firth_draws(problem, classes, likelihood.coefs(params), weight_of, n_draws, n_threads)
    else:
        X, dtype = problem.X, np.dtype(np.float32 if problem.X.dtype == np.float32 else np.float64)
        given = {"proportions": problem.proportions, "offset": problem.offset}
        data = Samples(X, classes[problem.codes], X, dtype, classes, problem.codes, **given)
        options = {"fit_intercept": problem.fit_intercept, "tol": _TOL, "max_iter": _MAX_ITER, "n_threads": n_threads}
        fits = solve_many(data, n_draws, weight_of, np.array([problem.C]), **options, progress=False)
    coefs = np.concatenate([fits.coefs, fits.intercepts[..., None]], axis=-1)[:, 0]
    return np.array([likelihood.params(likelihood.against_base(coef)) for coef in coefs]), fits


def _firth_draws(problem, classes, start, weight_of, n_draws, n_threads):
    """Fits with Firth's penalty, each from the optimum; those whose columns are collinear fail."""
    fits = ManyFits.empty(classes, np.array([np.inf]), n_draws, problem.X.shape[1])
    options = {"tol": _TOL, "max_iter": _MAX_ITER, "start": start, "report": None}

    def fit(draw, check):
        check()
        try:
            return fit_firth(replace(problem, sample_weight=weight_of(draw)), n_threads=1, **options)
        except ValueError as error:
            return str(error)

    def put(draw, end):
        if isinstance(end, str):
            fits.failures[draw, 0] = end
            return
        result = end.result
        fits.put((draw, 0), result.coef, result.value, result.gap, result.n_iter)
        if not result.converged:
            fits.failures[draw, 0] = "too few steps"

    run_all(fit, range(n_draws), n_threads, put)
    return fits


def intervals(estimates, params, acceleration, kind, level):
    """Ends by parameter, of shape (n_params, 2), from estimates of shape (n_draws, n_params)."""
    z = ndtri([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    places = np.tile(ndtr(z), (len(params), 1))
    if kind == "bca":
        least = 0.5 / len(estimates)
        share = np.clip((estimates < params).mean(axis=0), least, 1.0 - least)
        moved = ndtri(share)[:, None] + z
        places = ndtr(ndtri(share)[:, None] + moved / (1.0 - acceleration[:, None] * moved))
    return np.array([np.quantile(column, at) for column, at in zip(estimates.T, places, strict=True)])


def accelerations(likelihood, inverse, *, counts):
    """a of each parameter: one pass."""
    weight = likelihood.loss.weights()
    copies = np.maximum(weight, 1.0) if counts else np.ones_like(weight)
    squares, cubes = np.zeros((2, len(inverse)))
    for rows, scores in likelihood.scores():
        influence = -scores @ inverse / copies[rows, None]
        squares += copies[rows] @ influence**2
        cubes += copies[rows] @ influence**3
    return cubes / (6.0 * squares**1.5)
