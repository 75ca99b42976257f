"""What is drawn are the numbers of the model."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from fastlr import LogisticRegression, from_json
from fastlr.plotting import plot_calibration, plot_coefficients, plot_history

_rng = np.random.default_rng(0)
X = _rng.normal(size=(300, 6))
Y = np.where(X @ np.arange(6) + _rng.normal(size=300) > 0, "yes", "no")
FRAME = pd.DataFrame(X, columns=list("abcdef"))
MODEL = LogisticRegression(l1_ratio=0.5).fit(FRAME, Y)
MANY = LogisticRegression().fit(X, np.arange(300) % 3)


@pytest.mark.parametrize("what", ["gap", "value", "gradient_norm"])
def test_a_history_is_drawn_pass_by_pass(what):
    ax = plot_history(MODEL, what=what)
    shown = ax.lines[0].get_xydata()
    expected = [(record["n_passes"], record[what]) for record in MODEL.history_]
    np.testing.assert_array_equal(shown, np.where(np.isfinite(expected), expected, np.nan))
    if what == "gap":
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), MODEL.tol)
    assert ax.get_yscale() == ("linear" if what == "value" else "log")
    assert ax.get_title() == MODEL.solver_


def test_an_axes_is_drawn_into_and_words_that_are_none_refused():
    history, bars, calibration = Figure().subplots(3)
    assert plot_history(MODEL, history) is history
    assert plot_coefficients(MODEL, bars) is bars
    assert plot_calibration(MODEL, FRAME, Y, calibration) is calibration
    with pytest.raises(ValueError, match="what must be one of"):
        plot_history(MODEL, what="loss")
    for draw in (plot_coefficients, lambda model, **options: plot_calibration(model, FRAME, Y, **options)):
        with pytest.raises(ValueError, match="label must be a class of the model, no, yes, got 'maybe'"):
            draw(MODEL, label="maybe")


def test_bars_are_the_largest_coefficients_with_their_names_and_signs():
    ax = plot_coefficients(MODEL, n_named=4)
    largest = np.argsort(-np.abs(MODEL.coef_[0]))[:4]
    assert [bar.get_width() for bar in ax.patches] == MODEL.coef_[0, largest].tolist()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == FRAME.columns[largest].tolist()
    colours = [to_rgba("tab:red" if value > 0 else "tab:blue") for value in MODEL.coef_[0, largest]]
    assert [bar.get_facecolor() for bar in ax.patches] == colours
    turned = plot_coefficients(MODEL, label="no", n_named=4)
    assert [bar.get_width() for bar in turned.patches] == (-MODEL.coef_[0, largest]).tolist()
    assert turned.get_title() == "towards no"


def test_a_picture_is_the_coefficients_of_a_class():
    ax = plot_coefficients(MANY, label=1, shape=(2, 3))
    np.testing.assert_array_equal(ax.images[0].get_array(), MANY.coef_[1].reshape(2, 3))
    limit = np.abs(MANY.coef_[1]).max()
    assert ax.images[0].get_clim() == (-limit, limit)
    sparse = LogisticRegression(l1_ratio=0.5).fit(FRAME, Y).sparsify()
    drawn = plot_coefficients(sparse, shape=(3, 2)).images[0].get_array()
    np.testing.assert_array_equal(drawn, MODEL.coef_.reshape(3, 2))
    with pytest.raises(ValueError, match="shape must hold 6 features"):
        plot_coefficients(MANY, shape=(2, 2))


def test_calibration_is_the_share_of_a_class_where_it_is_predicted():
    ax = plot_calibration(MODEL, FRAME, Y, label="no", n_bins=5)
    ideal, drawn = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(ideal, [[0, 0], [1, 1]])
    predicted = MODEL.predict_proba(FRAME)[:, 0]
    groups = np.array_split(np.argsort(predicted), 5)
    expected = [(predicted[rows].mean(), (Y[rows] == "no").mean()) for rows in groups]
    np.testing.assert_allclose(drawn, expected, atol=1e-12)


def test_a_model_without_a_history_is_refused():
    with pytest.raises(ValueError, match="this one has no history"):
        plot_history(from_json(MODEL.to_json()))
