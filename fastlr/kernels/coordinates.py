"""Coordinate descent on a quadratic plus weighted absolute values: what the Newton step of an L1 penalty minimises."""

from ..runtime.jit import kernel

_SUPPORT_SWEEPS = 10  # one over all, the others over what is not zero


@kernel()
def descend(H, threshold, v, q, n_sweeps, tol):
    """Minimise v H v / 2 + c v + sum_j threshold_j |v_j| one coordinate at a time, in place.

    A sweep over all coordinates, then some over those that are not zero, and so on: most stay zero.

    Parameters
    ----------
    H : float64 array of shape (n, n)
        Symmetric, positive semidefinite, C order.
    threshold : float64 array of shape (n,)
        >= 0.
    v : float64 array of shape (n,)
        Where to start; overwritten.
    q : float64 array of shape (n,)
        H v + c, kept up to date.
    n_sweeps : int
        Sweeps over all coordinates, at most.
    tol : float
        Ends when no coordinate's gradient changed by more in such a sweep.
    """
    n = len(v)
    for _ in range(n_sweeps):
        largest = 0.0
        for inner in range(_SUPPORT_SWEEPS):
            change = 0.0
            for j in range(n):
                old = v[j]
                if inner > 0 and old == 0.0:
                    continue
                bend = H[j, j]
                if bend <= 0.0:  # a column of zeros: what is left of its gradient is rounding
                    continue
                pull = bend * old - q[j]
                if pull > threshold[j]:
                    new = (pull - threshold[j]) / bend
                elif pull < -threshold[j]:
                    new = (pull + threshold[j]) / bend
                else:
                    new = 0.0
                if new != old:
                    step = new - old
                    v[j] = new
                    row = H[j]
                    for i in range(n):
                        q[i] += step * row[i]
                    change = max(change, abs(step) * bend)
            if inner == 0:
                largest = change
            if change <= tol:
                break
        if largest <= tol:
            break
