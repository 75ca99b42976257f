"""The study in one figure."""

import numpy as np

from .figures import draw_picture, figure_of


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
    figure = figure_of(11, 6.5)
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
    draw_picture((weights - weights.mean()).reshape(data.images.shape[1], -1), picture)
    picture.set_title(f"weights (red: towards {data.digits[1]})")
    figure.savefig(path, dpi=120)
