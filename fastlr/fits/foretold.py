"""Where the next optimum of a path in C lies, by the last ones."""

import math

import numpy as np

_ENDS = 3  # that a path is drawn through


class Foretold:
    """The path of a fit along C, whose next end is foretold in two ways; that which was nearer last time counts.

    To first order in log C coefficients change evenly while the penalty rules. Where it hardly matters any more they
    are smooth in 1/C.
    """

    def __init__(self):
        self._ends = []  # the last few, (C, coef)
        self._guesses = []
        self._is_smooth = False

    @property
    def is_begun(self):
        """Whether there is an end to go on from."""
        return bool(self._ends)

    def start(self, C):
        """Where the fit with C is thought to end: an array as of `arrive`."""
        smooth = ahead([(1.0 / before, coef) for before, coef in self._ends], 1.0 / C)
        self._guesses = [extrapolated(self._ends[-2:], C), *([] if smooth is None else [smooth])]
        return self._guesses[-1 if self._is_smooth else 0]

    def arrive(self, C, coef):
        """Take note of the end of the fit with C, a float64 array."""
        missed = [np.linalg.norm(guess - coef) for guess in self._guesses]
        self._is_smooth = bool(missed) and missed[-1] < missed[0]
        self._ends = with_end(self._ends, C, coef)


def with_end(ends, place, end):
    """The last ends of a path, (place, end) each, with one more; each place once."""
    return [*[known for known in ends if known[0] != place][1 - _ENDS :], (place, end)]


def ahead(ends, u):
    """Where the last ends of a path lead, (1/C, array) each, at 1/C = u: on the polynomial through them.

    Returns
    -------
    array, or None
        None with fewer than two, or where u is further from the last one than that is from the one before.
    """
    if len(ends) < 2 or abs(u - ends[-1][0]) > abs(ends[-1][0] - ends[-2][0]):
        return None
    places = [place for place, _ in ends]
    shares = [math.prod((u - other) / (place - other) for other in places if other != place) for place in places]
    return sum(share * end for share, (_, end) in zip(shares, ends, strict=True))


def extrapolated(ends, C):
    """Where the coefficients of the last fits of a path lead, (C, coef) of two at most: to first order in log C."""
    last_C, last = ends[-1]
    if len(ends) < 2:
        return last
    before_C, before = ends[0]
    with np.errstate(all="ignore"):
        share = np.log(C / last_C) / np.log(last_C / before_C)
    # No further than the fits are apart; nowhere along a C that turns back, repeats or is infinite.
    return last + min(share, 1.0) * (last - before) if share > 0.0 else last
