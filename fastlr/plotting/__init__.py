"""Figures. Needs matplotlib: ``pip install "fastlr[plot]"``."""

from .fits import plot_cv, plot_history, plot_path
from .models import plot_calibration, plot_coefficients, plot_forest
from .study import plot_study

__all__ = [
    "plot_calibration",
    "plot_coefficients",
    "plot_cv",
    "plot_forest",
    "plot_history",
    "plot_path",
    "plot_study",
]
