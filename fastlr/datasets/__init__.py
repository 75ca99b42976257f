"""Images of hand signs for digits: drawn here, read from disk, or fetched from the public archive.

The photographs are the Sign Language Digits Dataset (Turkey Ankara Ayranci Anadolu High School, Arda Mavi and Zeynep
Dikle, Apache-2.0, arXiv:2011.08927). The drawn images need neither network nor files and are the same on each machine.
"""

import hashlib
import numbers
import os
import tempfile
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import numpy as np
from sklearn.datasets import fetch_file, get_data_home
from sklearn.utils import Bunch

from .drawing import draw_digit
from .files import as_digits, as_uint8, pillow_image, read_arrays, read_class_folders, select, unpack

ARCHIVE_URL = "https://github.com/ardamavi/Sign-Language-Digits-Dataset/archive/refs/heads/master.zip"


def load_sign_digits(source=None, *, digits=(0, 1)):
    """Images of the signs of two digits, as many of the one as of the other.

    Parameters
    ----------
    source : str, path-like or None
        None for images drawn by this module, 205 of each digit. Otherwise one of

        - a folder with the pair `X.npy`, `Y.npy`;
        - an `.npz` file with arrays `X` and `Y`;
        - a folder of folders `0` ... `9` of JPEG or PNG files (this takes Pillow), or a parent of such a folder named
          `Dataset`. Files are taken in the order of their names, made grey and resized to 64x64.

        `X` is of shape (n, 64, 64), of integers in 0...255 or floats in [0, 1]; `Y` holds digits, in shape (n,), or is
        one-hot, in shape (n, 10). Of each digit the first rows are taken. 2062 rows in the well-known order are
        recognised, whatever their labels are called, so that zero and one are `X[204:409]` and `X[822:1027]`.
    digits : tuple of two int
        Which signs, in 0...9.

    Returns
    -------
    Bunch
        With `images`, uint8 of shape (n, 64, 64), those of `digits[0]` first; `target`, int64 of shape (n,), 0 for
        `digits[0]` and 1 for `digits[1]`; `digits`; and `description`, one sentence on what was used. The arrays are
        the caller's own.

    Raises
    ------
    FileNotFoundError
        If `source`, or a file that belongs to it, is missing.
    ImportError
        If image files are to be read and Pillow is not installed.
    TypeError, ValueError
        If `digits` are not two different digits, or if `source` is corrupt or does not hold what is described above.
    """
    digits = _check_digits(digits)
    if source is None:
        signs = [draw_digit(digit) for digit in digits]
        what = "drawn hand-sign images of {} and {} (embedded generator, no real photographs)"
        return _as_bunch(signs, digits, what.format(*digits))
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source must be None or a path, got {source!r}")
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"source {path} does not exist")
    if path.is_dir() and not any((path / name).exists() for name in ("X.npy", "Y.npy")):
        signs = read_class_folders(path, digits)
    else:
        images, labels = read_arrays(path)
        signs = select(as_uint8(images, path), as_digits(labels, path), digits, path)
        path = path / "X.npy" if path.is_dir() else path
    what = f"images of the signs {digits[0]} and {digits[1]} from {path} (real photographs)"
    return _as_bunch(signs, digits, what)


def fetch_sign_digits(*, data_home=None, url=ARCHIVE_URL, digits=(0, 1), n_retries=3, delay=1.0):
    """Photographs of the signs of two digits, downloaded on the first call and kept on disk. This takes Pillow.

    Parameters
    ----------
    data_home : str, path-like or None
        Where scikit-learn keeps its data sets; None for its default. The images go to `fastlr_sign_digits` in there.
    url : str
        A zip archive with folders `0` ... `9` of image files, at its top, in `Dataset` or in `*/Dataset`.
    digits : tuple of two int
        Which signs, in 0...9.
    n_retries : int
        How often to try again after a failed download.
    delay : float
        Seconds between the attempts.

    Returns
    -------
    Bunch
        As from `load_sign_digits`.

    Raises
    ------
    ConnectionError
        If the archive cannot be downloaded.
    ImportError
        If Pillow is not installed.
    TypeError, ValueError
        If an argument is wrong, or what was downloaded is not such an archive. Nothing of it is kept, so that the next
        call downloads anew.
    """
    digits = _check_digits(digits)
    if n_retries < 0:
        raise ValueError(f"n_retries must be >= 0, got {n_retries!r}")
    pillow_image()  # better missed now than after the download
    folder = Path(get_data_home(data_home)) / "fastlr_sign_digits"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / hashlib.sha256(url.encode()).hexdigest()[:16]  # another archive never answers for this one
    if not target.is_dir():
        # Everything happens in a folder of this call's own, and the last step is one rename: an interrupted call
        # leaves nothing that a later one could mistake for the whole, and two calls at once cannot mix.
        with tempfile.TemporaryDirectory(prefix="download_", dir=folder) as scratch:
            archive = _download(url, scratch, n_retries, delay)
            unpacked = unpack(archive, Path(scratch) / "unpacked", url)
            try:
                unpacked.rename(target)
            except OSError:
                if not target.is_dir():  # not another process that was faster
                    raise
    return load_sign_digits(target, digits=digits)


def _check_digits(digits):
    try:
        first, second = digits
    except (TypeError, ValueError):
        raise TypeError(f"digits must be two integers, got {digits!r}") from None
    for digit in (first, second):
        if isinstance(digit, bool) or not isinstance(digit, numbers.Integral):
            raise TypeError(f"digits must be two integers, got {digits!r}")
    if first == second or not (0 <= first <= 9 and 0 <= second <= 9):
        raise ValueError(f"digits must be two different integers in 0...9, got {digits!r}")
    return int(first), int(second)


def _as_bunch(signs, digits, what):
    images = np.concatenate(signs)  # a copy, so that the cache of drawn images stays as it is
    target = np.repeat(np.array([0, 1], dtype=np.int64), [len(sign) for sign in signs])
    return Bunch(images=images, target=target, digits=digits, description=f"{len(images)} {what}")


def _download(url, folder, n_retries, delay):
    try:
        return fetch_file(url, folder=folder, local_filename="archive.zip", n_retries=n_retries, delay=delay)
    except (URLError, ConnectionError, TimeoutError, HTTPException) as error:
        if hasattr(error, "close"):
            error.close()  # an HTTPError holds the connection
        raise ConnectionError(f"could not download {url}: {error}") from error
