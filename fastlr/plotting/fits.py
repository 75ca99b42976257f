"""Of fits: how one came to its end, a search, a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._validation import check_choice
from .figures import figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(model: Any, ax: Axes | None = None, *, what: str = "gap") -> Axes:
    """Draw how a fit came to its end, pass over X by pass.

    Parameters
    ----------
    model : LogisticRegression
        Fitted.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``ax.figure``, that no window system knows of.
    what : {"gap", "value", "gradient_norm"}, default="gap"
        What of each step: the certified gap, the objective, or the norm of its gradient.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `what` is none of these, or the model has no history: one that was read from JSON or made from
        scikit-learn's, or a search.
    """
    if not hasattr(model, "history_"):
        raise ValueError("model must be a LogisticRegression that was fitted here: this one has no history")
    titles = {"gap": "certified relative gap", "value": "objective", "gradient_norm": "norm of the gradient"}
    check_choice(what, "what", tuple(titles))
    ax = figure_of(6, 4).subplots() if ax is None else ax
    passes = [record["n_passes"] for record in model.history_]
    values = np.array([record[what] for record in model.history_], dtype=float)
    drawn = np.where(np.isfinite(values) & ((values > 0.0) | (what == "value")), values, np.nan)
    ax.plot(passes, drawn, color="tab:blue", marker="o", markersize=3)
    if what == "gap":
        ax.axhline(model.tol, color="tab:red", linestyle="--", label=f"tol={model.tol:g}")
        ax.legend()
    if what != "value":
        ax.set_yscale("log")
    ax.set_xlabel("passes over X")
    ax.set_ylabel(titles[what])
    ax.set_title(model.solver_, fontsize=10)
    ax.grid(alpha=0.3)
    return ax


def plot_cv(model: Any, ax: Axes | None = None) -> Axes:
    """Draw the scores of a cross-validation against C: each fold, their mean and spread, and the C that was chosen.

    Of several l1_ratios, the scores of the one that was chosen.

    Parameters
    ----------
    model : LogisticRegressionCV
        Fitted.
    ax : matplotlib Axes, optional
        As in `plot_history`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ax = figure_of(6, 4).subplots() if ax is None else ax
    order = np.argsort(model.Cs_)
    Cs, scores = model.Cs_[order], _scores_of_chosen_ratio(model)[:, order]
    scores = scores[~np.isnan(scores).any(axis=1)]
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    for fold in scores if len(scores) > 1 else ():
        ax.plot(Cs, fold, color="tab:gray", alpha=0.4, linewidth=1)
    ax.fill_between(Cs, mean - spread, mean + spread, color="tab:blue", alpha=0.2, linewidth=0)
    ax.plot(Cs, mean, color="tab:blue", marker="o", markersize=3, label="mean over folds")
    C = np.ravel(model.C_)[0]
    ax.axvline(C, color="tab:red", linestyle="--", label=f"chosen: C={C:.3g}")
    ax.set_xscale("log")
    ax.set_xlabel("C")
    ax.set_ylabel("score" if model.scoring in (None, "warn") or callable(model.scoring) else model.scoring)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _scores_of_chosen_ratio(model):
    """Of shape (n_folds, n_Cs)."""
    scores = model.scores_
    if isinstance(scores, dict):  # use_legacy_attributes: by class, and all the same, l1_ratios last
        scores = next(iter(scores.values()))
        scores = np.moveaxis(scores.reshape(*scores.shape[:2], -1), 2, 1)
    if scores.shape[1] == 1:
        return scores[:, 0]
    return scores[:, np.abs(model.l1_ratios_ - np.ravel(model.l1_ratio_)[0]).argmin()]


def plot_path(path: Any, ax: Axes | None = None, n_named: int = 10) -> Axes:
    """Draw the coefficients of a path against C, and how many there are.

    Parameters
    ----------
    path : Path
        From `fastlr.path`.
    ax : matplotlib Axes, optional
        As in `plot_history`.
    n_named : int
        Coefficients with a name, "feature 7" say or, of many classes, "feature 7, class 2": the largest at the end.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ax = figure_of(7, 4.5).subplots() if ax is None else ax
    coefs = np.stack([coef.toarray() for coef in path.coefs])
    drawn = np.argwhere(coefs.any(axis=0))
    drawn = drawn[np.argsort(-np.abs(coefs[-1][tuple(drawn.T)]), kind="stable")]
    for place, (row, feature) in enumerate(drawn.tolist()):
        name = f"feature {feature}" + (f", class {path.classes[row]}" if coefs.shape[1] > 1 else "")
        ax.plot(path.Cs, coefs[:, row, feature], linewidth=1, label=name if place < n_named else None)
    ax.set_xscale("log")
    ax.set_xlabel("C")
    ax.set_ylabel("coefficient")
    ax.set_title(f"{path.n_active[-1]} features at C={path.Cs[-1]:.3g}", fontsize=10)
    ax.grid(alpha=0.3)
    if len(drawn) and n_named:
        ax.legend(fontsize=7)
    return ax
