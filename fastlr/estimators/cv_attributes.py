"""What the installed scikit-learn gives `LogisticRegressionCV` for defaults and attributes, which differ by version."""

import inspect
import warnings

import numpy as np
import sklearn.linear_model

_INSTALLED = inspect.signature(sklearn.linear_model.LogisticRegressionCV).parameters
# Of parameters whose defaults differ by version: that of the installed one, or what there was before the parameter.
DEFAULTS = {"l1_ratios": None, "scoring": None, "use_legacy_attributes": True}
DEFAULTS.update((name, _INSTALLED[name].default) for name in set(DEFAULTS) & set(_INSTALLED))

_CHANGES = {  # in the beginning scikit-learn's words, which filters of warnings look for
    "l1_ratios": "The default value for l1_ratios will change from None to (0.0,) in version 1.10.",
    "scoring": "The default value of the parameter 'scoring' will change from None, i.e. accuracy, to 'neg_log_loss' "
    "in version 1.11.",
    "use_legacy_attributes": "The fitted attributes of LogisticRegressionCV will be simplified in version 1.10. The "
    "default value of use_legacy_attributes will change from True to False.",
}


def resolve(name, value, meaning):
    """The value of a parameter, or what "warn", its default in some versions, means.

    Warns
    -----
    FutureWarning
        For "warn", as scikit-learn does: the default is going to change.
    """
    if not (isinstance(value, str) and value == "warn"):
        return value
    message = f"{_CHANGES[name]} To silence this warning, set {name}, as from that version on or to {meaning!r}."
    warnings.warn(message, FutureWarning, stacklevel=5)
    return meaning


def to_legacy(model, with_l1_ratios):
    """Change the fitted attributes of a model to those of ``use_legacy_attributes=True``.

    That is dictionaries by class, of arrays over folds, values of C and, where `l1_ratios` was given, of it.
    """
    classes = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
    last = slice(None) if with_l1_ratios else 0
    # Of shape (n_folds, n_Cs, n_l1_ratios, ...) from (n_folds, n_l1_ratios, n_Cs, ...).
    scores, n_iter, paths = (
        np.moveaxis(values, 1, 2)[:, :, last] for values in (model.scores_, model.n_iter_, model.coefs_paths_)
    )
    model.scores_ = {label: scores.copy() for label in classes}
    model.coefs_paths_ = {label: paths[..., k, :] for k, label in enumerate(classes)}
    model.n_iter_ = n_iter[None]
    model.C_ = np.full(len(classes), model.C_)
    l1_ratio = model.l1_ratio_ if with_l1_ratios or not model.refit else None
    model.l1_ratio_ = np.full(len(classes), l1_ratio)
