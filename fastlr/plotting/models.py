"""Of models: their coefficients, odds ratios, and how far their probabilities can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._validation import listed
from .figures import draw_picture, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_coefficients(
    model: Any, ax: Axes | None = None, *, shape: tuple[int, int] | None = None, label: Any = None, n_named: int = 20
) -> Axes:
    """Draw the coefficients of a class: as bars, the largest first, or where features are pixels as a picture.

    Parameters
    ----------
    model : LogisticRegression or LogisticRegressionCV
        Fitted.
    ax : matplotlib Axes, optional
        As in `plot_history`.
    shape : tuple of int, optional
        Rows and columns of the picture that the features are.
    label : object, optional
        The class; by default the last. Of two classes, those of the first are the other's with the sign turned.
    n_named : int, default=20
        Bars at most.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `label` is no class of the model, or its features do not fill `shape`.
    """
    place = _place_of(label, model.classes_)
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    coef = (np.concatenate([-coef, coef]) if len(model.classes_) == 2 else coef)[place]
    if shape is not None:
        if np.prod(shape) != len(coef):
            raise ValueError(f"shape must hold {len(coef)} features, got {shape!r}")
        ax = figure_of(5, 4).subplots() if ax is None else ax
        draw_picture(coef.reshape(shape), ax)
    else:
        largest = np.argsort(-np.abs(coef), kind="stable")[:n_named]
        ax = figure_of(6, 1.2 + 0.25 * len(largest)).subplots() if ax is None else ax
        names = getattr(model, "feature_names_in_", [f"feature {j}" for j in range(len(coef))])
        ax.barh(range(len(largest)), coef[largest], color=np.where(coef[largest] > 0, "tab:red", "tab:blue"))
        ax.set_yticks(range(len(largest)), [names[j] for j in largest])
        ax.invert_yaxis()
        ax.set_xlabel("coefficient")
        ax.grid(axis="x", alpha=0.3)
    ax.set_title(f"towards {model.classes_[place]}", fontsize=10)
    return ax


def plot_forest(result: Any, ax: Axes | None = None, *, level: float = 0.95, intercept: bool = False) -> Axes:
    """Draw odds ratios with their intervals, a line for each parameter, on a logarithmic axis.

    Parameters
    ----------
    result : Inference
        From `fastlr.inference`.
    ax : matplotlib Axes, optional
        As in `plot_history`.
    level : float, default=0.95
        Of the intervals.
    intercept : bool, default=False
        Whether "const" has a line too.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ratios = result.odds_ratios(level).reshape(-1, 3)
    titles = [""] if len(result.classes) == 2 else [f"{label}: " for label in result.compared]
    names = [title + name for title in titles for name in result.names]
    kept = [k for k in range(len(names)) if intercept or result.names[k % len(result.names)] != "const"]
    ax = figure_of(6, 1.2 + 0.3 * len(kept)).subplots() if ax is None else ax
    middle, low, high = ratios[kept].T
    places = range(len(kept))
    ax.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="o", color="tab:blue", markersize=4, capsize=2)
    ax.axvline(1.0, color="tab:gray", linewidth=1)
    ax.set_xscale("log")
    ax.set_yticks(places, [names[k] for k in kept])
    ax.invert_yaxis()
    ax.set_xlabel(f"odds ratio, {100 * level:g} % interval")
    ax.grid(axis="x", alpha=0.3)
    return ax


def plot_calibration(
    model: Any, X: Any, y: Any, ax: Axes | None = None, *, label: Any = None, n_bins: int = 10
) -> Axes:
    """Draw how often a class occurs where it is predicted with some probability, beside the ideal line.

    Parameters
    ----------
    model : classifier
        Fitted.
    X, y
        Samples, best such as the model was not fitted to, and their labels.
    ax : matplotlib Axes, optional
        As in `plot_history`.
    label : object, optional
        The class; by default the last.
    n_bins : int, default=10
        Groups of samples, of about the same size, by their probability.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `label` is no class of the model.
    """
    from sklearn.calibration import calibration_curve

    place = _place_of(label, model.classes_)
    label, probabilities = model.classes_[place], model.predict_proba(X)[:, place]
    shares, means = calibration_curve(np.asarray(y) == label, probabilities, n_bins=n_bins, strategy="quantile")
    ax = figure_of(5, 5).subplots() if ax is None else ax
    ax.plot([0, 1], [0, 1], color="tab:gray", linestyle="--", label="ideal")
    ax.plot(means, shares, color="tab:blue", marker="o", markersize=4, label=type(model).__name__)
    ax.set_xlabel(f"predicted probability of {label}")
    ax.set_ylabel(f"share of {label}")
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _place_of(label, classes):
    """Where a class stands; None is the last."""
    if label is None:
        return len(classes) - 1
    (places,) = np.nonzero(classes == label)
    if not len(places):
        raise ValueError(f"label must be a class of the model, {listed(classes.tolist())}, got {label!r}")
    return places[0]
