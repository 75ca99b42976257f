"""Figures. Needs matplotlib: ``pip install "fastlr[plot]"``."""

import numpy as np


def _figure(width, height):
    """A figure of its own, without pyplot: no window system, no global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "fastlr[plot]"') from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plot_study(data, costs, coef, path):
    """Draw the study in one figure: some images of both signs, the cost curve, the weights as a picture.

    Parameters
    ----------
    data : Bunch
        From `fastlr.datasets.load_sign_digits`.
    costs : array-like of shape (n_iterations,)
        Cost before each step.
    coef : array-like of shape (n_pixels + 1,)
        Weights of the pixels and the bias, which is not drawn.
    path : path-like
        File to write; the ending decides the format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError, ValueError
        If the file cannot be written, or its ending is no known format.
    """
    figure = _figure(11, 6.5)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.4))
    per_sign = 5
    axes = top.subplots(2, per_sign)
    for row, digit in enumerate(data.digits):
        images = data.images[data.target == row]
        chosen = np.linspace(0, len(images) - 1, per_sign).astype(int)
        for axis, image in zip(axes[row], images[chosen], strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set_axis_off()
        axes[row, per_sign // 2].set_title(f"sign {digit}", fontsize=10)

    curve, picture = bottom.subplots(1, 2, width_ratios=(1.6, 1))
    curve.plot(costs, color="tab:blue")
    curve.set_yscale("log")
    curve.set_xlabel("iteration")
    curve.set_ylabel("mean log-loss")
    curve.set_title("cost")
    curve.grid(alpha=0.3)
    weights = np.asarray(coef)[:-1]
    side = data.images.shape[1]
    limit = np.abs(weights - weights.mean()).max() or 1.0
    shown = picture.imshow(weights.reshape(side, -1) - weights.mean(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    picture.set_title(f"weights (red: towards {data.digits[1]})")
    picture.set_axis_off()
    bottom.colorbar(shown, ax=picture, shrink=0.8)
    figure.savefig(path, dpi=120)


def plot_cv(model, ax=None):
    """Draw the scores of a cross-validation against C: each fold, their mean and spread, and the C that was chosen.

    Of several l1_ratios, the scores of the one that was chosen.

    Parameters
    ----------
    model : LogisticRegressionCV
        Fitted.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``ax.figure``, that no window system knows of.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ax = _figure(6, 4).subplots() if ax is None else ax
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


def plot_path(path, ax=None, n_named=10):
    """Draw the coefficients of a path against C, and how many there are.

    Parameters
    ----------
    path : Path
        From `fastlr.path`.
    ax : matplotlib Axes, optional
        As in `plot_cv`.
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
    ax = _figure(7, 4.5).subplots() if ax is None else ax
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


def plot_forest(result, ax=None, *, level=0.95, intercept=False):
    """Draw odds ratios with their intervals, a line for each parameter, on a logarithmic axis.

    Parameters
    ----------
    result : Inference
        From `fastlr.inference`.
    ax : matplotlib Axes, optional
        As in `plot_cv`.
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
    ax = _figure(6, 1.2 + 0.3 * len(kept)).subplots() if ax is None else ax
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
