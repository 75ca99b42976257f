"""A limited-memory quasi-Newton model of the inverse Hessian on top of any first guess of it (L-BFGS).

Source: Byrd, Nocedal & Schnabel, Representations of quasi-Newton matrices and their use in limited memory methods,
Mathematical Programming 63, 1994, theorem 2.2. With the last m steps s_i and changes of the gradient y_i, first guess
H0, R the upper triangle of S^T Y and D its diagonal,

    H g = H0 g + S u - H0 Y a,    a = R^-1 S^T g,    u = R^-T ((D + Y^T H0 Y) a - (H0 Y)^T g)

which takes two products with a thin matrix, that of all s_i and H0 y_i, where the two-loop recursion takes 4 m with
vectors. Where a gradient is asked for next to which it was learnt, one of them is there already, and with it what the
last pair is to the others.
"""

import numpy as np
from scipy.linalg.lapack import dtrtrs


class QuasiNewton:
    """Approximate inverse Hessian.

    Parameters
    ----------
    base : callable
        First guess: maps a gradient, a float64 array of any shape, to H0 times it. Symmetric and positive definite.
    memory : int
        Pairs of steps and changes of the gradient that are kept.
    rescaled : bool
        Whether H0 is taken times a factor, the one that fits the last pair best: for a guess whose scale is rough.
    """

    def __init__(self, base, memory, *, rescaled=False):
        self.base = base
        self.memory = memory
        self.rescaled = rescaled
        self._first = self._stop = 0  # those of the pairs that count
        self._pairs = None  # s and H0 y, of shape (2 memory, 2, size)
        self._inner = None  # S^T Y and Y^T H0 Y
        self._recent = []  # the last gradients that H0 was applied to, and the results
        self._known = None, None  # the last gradient that was multiplied with the pairs, and the products

    def map(self, gradient):
        """H0 times a gradient; asked again for one of the last two, nothing is computed."""
        for known, mapped in self._recent:
            if known is gradient:
                return mapped
        mapped = self.base(gradient)
        self._recent = [*self._recent[-1:], (gradient, mapped)]
        return mapped

    def _products(self, gradient):
        """The pairs times a gradient, of shape (n_pairs, 2)."""
        known, products = self._known
        if known is not gradient:
            pairs = self._pairs[self._first : self._stop]
            products = (pairs.reshape(-1, gradient.size) @ gradient.ravel()).reshape(-1, 2)
            self._known = gradient, products
        return products

    def __call__(self, gradient):
        """Direction: the approximate inverse Hessian times a gradient."""
        direction = self.map(gradient)
        if self._first == self._stop:
            return direction
        pairs = slice(self._first, self._stop)
        R, changes_mapped = self._inner[:, pairs, pairs]
        factor = R[-1, -1] / changes_mapped[-1, -1] if self.rescaled else 1.0
        steps_gradient, mapped_gradient = self._products(gradient).T
        a, _ = dtrtrs(R, steps_gradient)
        shares = np.empty((len(R), 2))
        shares[:, 0], _ = dtrtrs(R, R.diagonal() * a + factor * (changes_mapped @ a - mapped_gradient), trans=1)
        shares[:, 1] = -factor * a
        result = shares.ravel() @ self._pairs[pairs].reshape(-1, gradient.size)
        result += direction.ravel() if factor == 1.0 else factor * direction.ravel()
        return result.reshape(gradient.shape)

    def learn(self, step, before, after):
        """Take note of the gradients before and after a step."""
        step, change = step.ravel(), (after - before).ravel()
        curvature = float(step @ change)
        if not curvature > 1e-10 * np.sqrt((step @ step) * (change @ change)):
            return
        self._make_room(step.size)
        earlier = self._products(before)
        last, mapped = self._stop, self._pairs[self._stop, 1]
        self._pairs[last, 0] = step
        np.subtract(self.map(after).ravel(), self.map(before).ravel(), out=mapped)
        self._stop += 1
        others = slice(self._first, last)
        steps_change, mapped_change = (self._products(after)[:-1] - earlier).T
        self._inner[0, others, last] = steps_change
        self._inner[1, others, last] = self._inner[1, last, others] = mapped_change
        self._inner[:, last, last] = curvature, mapped @ change

    def _make_room(self, size):
        """Forget the oldest pair where there are too many; the array has twice the room, so as to move rarely."""
        if self._pairs is None:
            self._pairs, self._inner = np.empty((2 * self.memory, 2, size)), np.empty((2, *[2 * self.memory] * 2))
        if self._stop - self._first == self.memory:
            self._first += 1
            gradient, products = self._known
            self._known = gradient, None if gradient is None else products[1:]
        if self._stop == 2 * self.memory:
            kept = slice(self._first, self._stop)
            self._stop -= self._first
            self._pairs[: self._stop] = self._pairs[kept]
            self._inner[:, : self._stop, : self._stop] = self._inner[:, kept, kept].copy()
            self._first = 0
