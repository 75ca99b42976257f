"""Checks of single values: flags, choices, numbers."""

import numbers
import sys

import numpy as np


def check_flag(value, name):
    """True or False, or 1 or 0 for it; returned as bool.

    Raises
    ------
    TypeError
        If `value` is anything else.
    """
    if not (isinstance(value, (bool, np.bool_, numbers.Integral)) and value in (0, 1)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_choice(value, name, choices):
    """One of some strings, or None where that is among them; returned as it is.

    Raises
    ------
    ValueError
        If `value` is anything else.
    """
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value


def check_number(value, name, *, low=None, high=None, inclusive=True, integer=False):
    """A real number (or whole one) in a range, finite by default; returned as float (or int).

    Raises
    ------
    TypeError
        If `value` is not a number of the kind.
    ValueError
        If it is NaN or outside the range.
    """
    if isinstance(value, np.ndarray) and value.size == 1 and not integer:
        value = value.item()
    is_number = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    if not is_number or (integer and value % 1 != 0):  # 1e4 is as good as 10000; infinity and NaN are not
        raise TypeError(f"{name} must be {'an integer' if integer else 'a real number'}, got {value!r}")
    try:
        value = int(value) if integer else float(value)
    except OverflowError as error:  # an integer beyond all floats
        raise ValueError(f"{name} is too large") from error
    too_low = low is not None and not (value >= low if inclusive else value > low)
    too_high = not value <= (sys.float_info.max if high is None else high)
    if value != value or value == -np.inf or too_low or too_high:
        sign = ">=" if inclusive else ">"
        wanted = [f"{sign} {low}"] * (low is not None)
        wanted += ["finite"] if high is None else [f"<= {high}"]
        raise ValueError(f"{name} must be {' and '.join(wanted)}, got {value!r}")
    return value


def listed(names, most=10):
    """Names in a sentence, the first of them, each once."""
    names = [str(name) for name in dict.fromkeys(names)]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
