"""The contract of a matrix: all that upper floors may ask of X.

Conventions
-----------
Coefficients, directions and gradients are float64 of shape (k, n_features + 1), rows [w, b], intercept last: one row
for two classes, one for each class of many, one for each of several fits. All that is returned is summed over samples
and weighted as the loss says. In a fit nothing of length n_samples crosses this border, but for `strips`: what a pass
has to say of each sample it leaves with the loss, which lives beside X.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse

from .._validation import check_finite
from ..runtime.team import Team
from ._class_hessian import class_sandwich
from .costs import hessian_cost

Loss: TypeAlias = Any  # `PointwiseLoss`, `SoftmaxLoss` and `Quadratic`: losses and matrices do not know each other


class Matrix(ABC):
    """X of shape (n_samples, n_features).

    A way to read X adds ``_bind(loss)``, which makes the passes for a loss (see `_passes`), and the abstract methods;
    `tests/test_matrices.py` says what all have in common.

    Parameters
    ----------
    X : array or SciPy CSR of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    dtype : numpy dtype
        What products are computed in.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    shape : tuple of int
    scale : float
        Factor of all features: the matrix is ``scale * X``.
    n_passes : int
        How often X was read.
    eps : float
        Rounding of an entry of X, over its size.
    in_memory : bool
        Whether it is a `MemoryMatrix`; if not, all but sums takes `sample`.
    """

    in_memory = False

    def __init__(self, X, dtype, name="X", team=None, scale=1.0):
        self.X = X
        self.shape = X.shape
        self.dtype = np.dtype(dtype)
        self.eps = rounding_of(X)
        self.scale = scale
        self.team = team or Team(1)
        self.n_passes = 0
        self.is_sparse = sparse.issparse(X)
        self._name = name
        self._bound = WeakKeyDictionary()  # passes by loss
        self._loss = self._passes = None  # the last

    def _passes_for(self, loss):
        if loss is not self._loss:
            if loss not in self._bound:
                self._bound[loss] = self._bind(loss)
            self._loss, self._passes = loss, self._bound[loss]
        return self._passes

    def sweep(self, loss: Loss, coefs: np.ndarray) -> tuple[float, np.ndarray]:
        """Summed loss and its gradient: one pass, which leaves raw predictions and curvatures with the loss.

        Parameters
        ----------
        loss : LogisticLoss or SoftmaxLoss
        coefs : float64 array of shape (k, n_features + 1)

        Returns
        -------
        value : float
        gradient : float64 array of shape (k, n_features + 1)

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        passes = self._passes_for(loss)
        passes.sweep(coefs)
        self.n_passes += 1
        value, gradient = passes.sums()
        if not math.isfinite(value):
            self.check_finite()
        return value, gradient

    def predict(self, loss: Loss, coefs: np.ndarray) -> None:
        """Leave raw predictions X w + b with a `LogisticLoss`: one pass. Raises ValueError as `sweep` does."""
        self._passes_for(loss).predict(coefs)
        self.n_passes += 1
        if not np.isfinite(loss.raw).all():
            self.check_finite()

    def product(self, loss: Loss, directions: np.ndarray) -> np.ndarray:
        """[X 1]^T D [X 1] directions, D from the last `sweep` of this loss: one pass.

        Returns
        -------
        float64 array of shape (k, n_features + 1)
        """
        passes = self._passes_for(loss)
        passes.product(directions)
        self.n_passes += 1
        return passes.sums()[1]

    @property
    def column_entries(self):
        """How many entries a column has, on average."""
        return self.shape[0]

    @abstractmethod
    def take(self, rows: np.ndarray) -> "Matrix":
        """A matrix of some of the rows, which are copied; `rows` are ascending indices."""

    def sample(self, loss: Loss, rows: np.ndarray) -> tuple["Matrix", Loss]:
        """A matrix of some of the rows, and their loss: see `take`."""
        return self.take(rows), loss.take(rows)

    @abstractmethod
    def moments(self, loss: Loss) -> tuple[np.ndarray, np.ndarray, float]:
        """First and second moments of the columns, weighted with the curvatures of the last `sweep`.

        Returns
        -------
        first, second : float64 arrays of shape (n_features,)
            X^T h and (X * X)^T h.
        total : float
            Sum of h.
        """

    @abstractmethod
    def sandwich(self, loss: Loss) -> np.ndarray:
        """[X 1]^T D [X 1], D from the last `sweep`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1, n_features + 1)
            Symmetric.
        """

    def hessian_cost(self, n_coef: int) -> float:
        """What a Hessian of so many coefficients costs to form and to factorise, roughly, in passes."""
        return hessian_cost(self.shape[0], n_coef)

    def class_sandwich(
        self, loss: Loss, coefs: np.ndarray, places: np.ndarray | None = None, near: bool = False
    ) -> np.ndarray:
        """[X 1]^T D [X 1] of a `SoftmaxLoss`, D at coefficients: one pass; see `_class_hessian`."""
        return class_sandwich(self, loss, coefs, places, near)

    def curvature_sum(self, loss: Loss) -> np.ndarray:
        """1^T D 1 of a `SoftmaxLoss`, D from the last `sweep`: one pass.

        Returns
        -------
        float64 array of shape (n_classes, n_classes)
        """
        self.n_passes += 1
        return self._passes_for(loss).curvature_sum()

    def intercept_column(self, loss: Loss) -> np.ndarray:
        """[X 1]^T D 1, the last column of the `sandwich` of a `LogisticLoss` or `Quadratic`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1,)
        """
        unit = np.zeros((1, self.shape[1] + 1))
        unit[0, -1] = 1.0
        return self.product(loss, unit)[0]

    @abstractmethod
    def ask_of_predictions(self, loss: Loss, question: str, *coefs: np.ndarray) -> Any:
        """What a method of a loss says of the raw predictions of some coefficients: a pass for each of these.

        Returns
        -------
        bool, number, array or tuple
            Of all samples: whether it holds for each, the largest, or of divergences and moments the sum.
        """

    @abstractmethod
    def gather(self, loss: Loss, question: str, coefs: np.ndarray) -> np.ndarray:
        """[X 1]^T times what a method of a `SoftmaxLoss` makes of raw predictions at coefficients: one pass.

        Returns
        -------
        float64 array of shape (n_classes, n_features + 1)
        """

    @abstractmethod
    def column_sums(self, loss: Loss, weight_sum: float, seen_from: np.ndarray) -> tuple:
        """What means and variances of the columns are made of, see `scales.column_sums`: one pass."""

    def check_finite(self) -> None:
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        check_finite(self.X, self._name)


def rounding_of(X):
    """Rounding of an entry of X, over its size: that of float32 where the entries are float32 or float16."""
    return float(np.finfo(np.float32 if X.dtype in (np.float32, np.float16) else np.float64).eps)
