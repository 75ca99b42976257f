"""Models as JSON: what predictions need and what describes a fit, readable without a pickle."""

import json
import platform
import re
import warnings

import numpy as np
import sklearn
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .classifier import LogisticModel
from .cross_validation import LogisticRegressionCV
from .exchange import FITTED
from .logistic_regression import LogisticRegression
from .plain import decode, encode

_CLASSES = {kind.__name__: kind for kind in (LogisticRegression, LogisticRegressionCV)}
_DESCRIBING = ("C_", "l1_ratio_", "gap_", "objective_", "n_passes_", "solver_")
_FORMAT = 1


def to_json(model: LogisticModel) -> str:
    """See `LogisticModel.to_json`."""
    check_is_fitted(model)
    if type(model) not in _CLASSES.values():
        raise TypeError(f"model must be of one of the classes {', '.join(_CLASSES)}, got {type(model).__name__}")
    parameters, left_out = {}, []
    for name, value in model.get_params(deep=False).items():
        try:
            parameters[name] = encode(value)
        except TypeError:
            left_out.append(name)
    if left_out:
        message = f"{', '.join(left_out)} cannot be written as JSON: the model that is read has the default"
        warnings.warn(message, UserWarning, stacklevel=3)
    document = {
        "format": _FORMAT,
        "class": type(model).__name__,
        "versions": {
            "fastlr": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
        },
        "parameters": parameters,
        "attributes": {name: encode(getattr(model, name)) for name in (*FITTED, *_DESCRIBING) if hasattr(model, name)},
    }
    return json.dumps(document, allow_nan=False)


def from_json(text: str | bytes) -> LogisticRegression | LogisticRegressionCV:
    """A fitted model from what `to_json` of a model returned.

    Parameters
    ----------
    text : str or bytes
        JSON.

    Returns
    -------
    LogisticRegression or LogisticRegressionCV
        Fitted, with the same predictions to the last bit.

    Raises
    ------
    TypeError
        If `text` is no text.
    ValueError
        If it holds no model.

    Warns
    -----
    UserWarning
        If a newer version of this package wrote it. Parameters that this version does not know are left out.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> import fastlr
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastlr.LogisticRegression().fit(X, y)
    >>> again = fastlr.from_json(model.to_json())
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"text must be str or bytes, got {type(text).__name__}")
    try:
        document = json.loads(text)
        model, newer = _read(document)
        _check(model)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"text must be a model that to_json wrote: {reason}") from error
    if newer:
        message = f"The model was written by fastlr {newer}, which is newer than this one, {__version__}"
        warnings.warn(message, UserWarning, stacklevel=2)
    return model


def _read(document):
    """The model, and the version that wrote it if that is newer."""
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, and this version reads {_FORMAT}")
    if document["class"] not in _CLASSES:
        raise ValueError(f"its class is {document['class']!r}")
    version = document["versions"]["fastlr"]
    newer = version if _release(version) > _release(__version__) else None
    model = _CLASSES[document["class"]]()
    parameters = document["parameters"]
    if newer:
        parameters = {name: value for name, value in parameters.items() if name in model.get_params()}
    model.set_params(**{name: decode(value) for name, value in parameters.items()})
    for name in (*FITTED, *_DESCRIBING):
        if name in document["attributes"]:
            setattr(model, name, decode(document["attributes"][name]))
    return model, newer


def _release(version):
    """The numbers of a version that can be compared."""
    return [int(number) for number in re.match(r"\d+(\.\d+)*", version)[0].split(".")]


def _check(model):
    """Refuse attributes that no fitted model has."""
    n_classes = len(model.classes_)
    shape = (1 if n_classes == 2 else n_classes, model.n_features_in_)
    coef = model.coef_.data if sparse.issparse(model.coef_) else model.coef_
    if np.ndim(model.classes_) != 1 or n_classes < 2:
        raise ValueError("classes_ must have two entries or more")
    if model.coef_.shape != shape or model.intercept_.shape != shape[:1]:
        raise ValueError(f"coef_ must have the shape {shape}, and intercept_ {shape[:1]}")
    if not (np.isfinite(coef).all() and np.isfinite(model.intercept_).all()):
        raise ValueError("coef_ and intercept_ must be finite")
    if np.shape(getattr(model, "feature_names_in_", np.empty(shape[1]))) != shape[1:]:
        raise ValueError(f"feature_names_in_ must have {shape[1]} entries")
