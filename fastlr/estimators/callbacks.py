"""Callbacks of scikit-learn, which knows them from 1.9 on: told of a fit and of each of its steps."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method):
        """The method as it is."""
        return method


class Told:
    """What the callbacks of an estimator are told of one fit, from within a method decorated by `with_callbacks`.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
        What is fitted.
    sample_weight : array-like or None
    """

    def __init__(self, estimator, X, y, sample_weight):
        self._estimator = estimator
        self._context = None
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            self._given = {"X": X, "y": y, "metadata": metadata}
            self._context = estimator._init_callback_context(max_subtasks=None)
            self._context.call_on_fit_task_begin(estimator=estimator, **self._given)

    def step(self):
        """A step was taken."""
        if self._context is not None:
            step = self._context.subcontext(task_name="iteration")
            step.call_on_fit_task_begin(estimator=self._estimator)
            step.call_on_fit_task_end(estimator=self._estimator)

    def end(self):
        """The estimator is fitted."""
        if self._context is not None:
            self._context.call_on_fit_task_end(estimator=self._estimator, reconstruction_attributes={}, **self._given)
