"""What the plots are drawn with."""

import numpy as np


def figure_of(width, height):
    """A figure of its own, without pyplot: no window system, no global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "fastlr[plot]"') from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_picture(weights, ax):
    """Red for weights above 0, blue for those below, and what the colours mean."""
    limit = np.abs(weights).max() or 1.0
    shown = ax.imshow(weights, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_axis_off()
    ax.figure.colorbar(shown, ax=ax, shrink=0.8)
