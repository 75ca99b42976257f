"""A limited-memory quasi-Newton model of the inverse Hessian on top of any first guess of it (L-BFGS).

Source: Byrd, Nocedal & Schnabel, Representations of quasi-Newton matrices and their use in limited memory methods,
Mathematical Programming 63, 1994, theorem 2.2. With the last m steps s_i and changes of the gradient y_i, first guess
H0, R the upper triangle of S^T Y and D its diagonal,

    H g = H0 g + S u - H0 Y a,    a = R^-1 S^T g,    u = R^-T ((D + Y^T H0 Y) a - (H0 Y)^T g)

which takes four products with thin matrices where the two-loop recursion takes 4 m with vectors.
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
        self._first = self._stop = 0  # the rows of the arrays that hold pairs
        self._steps = self._mapped = None  # S^T and (H0 Y)^T
        self._steps_changes = self._changes_mapped = None  # S^T Y and Y^T H0 Y
        self._recent = []  # the last gradients that H0 was applied to, and the results

    def map(self, gradient):
        """H0 times a gradient; asked again for one of the last two, nothing is computed."""
        for known, mapped in self._recent:
            if known is gradient:
                return mapped
        mapped = self.base(gradient)
        self._recent = [*self._recent[-1:], (gradient, mapped)]
        return mapped

    def __call__(self, gradient):
        """Direction: the approximate inverse Hessian times a gradient."""
        direction = self.map(gradient)
        if self._first == self._stop:
            return direction
        pairs = slice(self._first, self._stop)
        S, mapped, R = self._steps[pairs], self._mapped[pairs], self._steps_changes[pairs, pairs]
        changes_mapped = self._changes_mapped[pairs, pairs]
        factor = R[-1, -1] / changes_mapped[-1, -1] if self.rescaled else 1.0
        flat = gradient.ravel()
        a, _ = dtrtrs(R, S @ flat)
        u, _ = dtrtrs(R, R.diagonal() * a + factor * (changes_mapped @ a - mapped @ flat), trans=1)
        result = a @ mapped
        np.subtract(direction.ravel(), result, out=result)  # in place: new memory costs as much as a product
        result *= factor
        result += u @ S
        return result.reshape(gradient.shape)

    def learn(self, step, before, after):
        """Take note of the gradients before and after a step."""
        step, change = step.ravel(), (after - before).ravel()
        curvature = float(step @ change)
        if not curvature > 1e-10 * np.sqrt((step @ step) * (change @ change)):
            return
        self._make_room(step.size)
        last = self._stop
        self._stop += 1
        pairs = slice(self._first, self._stop)
        self._steps[last] = step
        np.subtract(self.map(after).ravel(), self.map(before).ravel(), out=self._mapped[last])
        self._steps_changes[pairs, last] = self._steps[pairs] @ change
        self._changes_mapped[pairs, last] = self._changes_mapped[last, pairs] = self._mapped[pairs] @ change

    def _make_room(self, size):
        """Forget the oldest pair where there are too many; the arrays have twice the room, so as to move rarely."""
        if self._steps is None:
            self._steps, self._mapped = np.empty((2, 2 * self.memory, size))
            self._steps_changes, self._changes_mapped = np.empty((2, 2 * self.memory, 2 * self.memory))
        if self._stop - self._first == self.memory:
            self._first += 1
        if self._stop == 2 * self.memory:
            kept = slice(self._first, self._stop)
            self._stop -= self._first
            for array in (self._steps, self._mapped):
                array[: self._stop] = array[kept]
            for array in (self._steps_changes, self._changes_mapped):
                array[: self._stop, : self._stop] = array[kept, kept].copy()
            self._first = 0
