"""Images of hand signs for digits: drawn here, read from disk, or fetched from the public archive.

The photographs are the Sign Language Digits Dataset (Turkey Ankara Ayranci Anadolu High School, Arda Mavi and Zeynep
Dikle, Apache-2.0, arXiv:2011.08927). The drawn images need neither network nor files and are the same on each machine.
"""

import contextlib
import functools
import hashlib
import numbers
import os
import tempfile
import zipfile
from http.client import HTTPException
from pathlib import Path, PureWindowsPath
from urllib.error import URLError

import numpy as np
from sklearn.datasets import fetch_file, get_data_home
from sklearn.utils import Bunch

from ._drawing import SIZE, draw_digit

ARCHIVE_URL = "https://github.com/ardamavi/Sign-Language-Digits-Dataset/archive/refs/heads/master.zip"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# The well-known X.npy holds its 2062 images in ten blocks of rows, one for each digit. Its Y.npy numbers the blocks by
# their place, 0, 1, 2, ..., and not by the digit shown: row 204 is labelled 1 and shows a zero.
BLOCK_STARTS = (0, 204, 409, 615, 822, 1028, 1236, 1443, 1649, 1855, 2062)
BLOCK_DIGITS = (9, 0, 7, 6, 1, 8, 4, 3, 2, 5)


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
        signs = _read_class_folders(path, digits)
    else:
        images, labels = _read_arrays(path)
        signs = _select(_as_uint8(images, path), _as_digits(labels, path), digits, path)
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
    _pillow_image()  # better missed now than after the download
    folder = Path(get_data_home(data_home)) / "fastlr_sign_digits"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / hashlib.sha256(url.encode()).hexdigest()[:16]  # another archive never answers for this one
    if not target.is_dir():
        # Everything happens in a folder of this call's own, and the last step is one rename: an interrupted call
        # leaves nothing that a later one could mistake for the whole, and two calls at once cannot mix.
        with tempfile.TemporaryDirectory(prefix="download_", dir=folder) as scratch:
            archive = _download(url, scratch, n_retries, delay)
            unpacked = _unpack(archive, Path(scratch) / "unpacked", url)
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


# Files


@contextlib.contextmanager
def _reading(source, expected):
    """Name source and what it should be when a reader fails; readers raise nearly anything at corrupt files."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        raise ValueError(f"source {source} is not {expected}: {error}") from error


def _read_arrays(path):
    """X and Y as they are stored in an .npz file or in a folder with X.npy and Y.npy."""
    read = functools.partial(np.lib.format.read_array, allow_pickle=False)
    arrays = []
    if path.is_dir():
        for name in ("X.npy", "Y.npy"):
            with _reading(path / name, "a NumPy array file"), (path / name).open("rb") as file:
                arrays.append(read(file))
        return arrays
    with _reading(path, "an .npz file with arrays X and Y, or a folder"), zipfile.ZipFile(path) as archive:
        for name in ("X.npy", "Y.npy"):
            with archive.open(name) as file:
                arrays.append(read(file))
    return arrays


def _as_uint8(images, source):
    """Images of shape (n, 64, 64) as uint8, where floats in [0, 1] become rint(255 x)."""
    if images.ndim != 3 or images.shape[1:] != (SIZE, SIZE) or len(images) == 0:
        raise ValueError(f"X of source {source} must have shape (n, {SIZE}, {SIZE}), got {images.shape}")
    if images.dtype.kind not in "iuf":
        raise ValueError(f"X of source {source} must hold integers or floats, got dtype {images.dtype}")
    if images.dtype == np.uint8:
        return images
    low, high, is_float = images.min(), images.max(), images.dtype.kind == "f"
    if not np.isfinite([low, high]).all():
        raise ValueError(f"X of source {source} must be finite")
    if low < 0 or high > (1 if is_float else 255):
        wanted = "floats in [0, 1]" if is_float else "integers in 0...255"
        raise ValueError(f"X of source {source} must hold {wanted}, got values from {low} to {high}")
    return (np.rint(255 * images.astype(np.float64)) if is_float else images).astype(np.uint8)


def _as_digits(labels, source):
    """Labels of shape (n,), or one-hot of shape (n, 10), as the digits shown, of shape (n,)."""
    problem = f"Y of source {source} must hold digits 0...9, of shape (n,), or be one-hot, of shape (n, 10)"
    if labels.dtype.kind not in "biuf" or labels.ndim not in (1, 2) or labels.size == 0:
        raise ValueError(f"{problem}; got shape {labels.shape} and dtype {labels.dtype}")
    if labels.ndim == 2:
        if labels.shape[1] != 10 or not np.isin(labels, (0, 1)).all() or (labels.sum(axis=1) != 1).any():
            raise ValueError(f"{problem}; got shape {labels.shape}")
        labels = labels.argmax(axis=1)
    if not np.isin(labels, range(10)).all():
        raise ValueError(f"{problem}; got other values")
    labels = labels.astype(np.int64)
    return np.repeat(BLOCK_DIGITS, np.diff(BLOCK_STARTS)) if _in_well_known_order(labels) else labels


def _in_well_known_order(labels):
    """Whether rows are the ten blocks of the well-known pair, under whichever names.

    Two labels without a break over the two stretches of rows that the study takes, and ten different ones in the
    middles of the blocks: no other order of 2062 images does this. Rows sorted by digit, say, break at 205.
    """
    if labels.size != BLOCK_STARTS[-1] or np.ptp(labels[204:409]) or np.ptp(labels[822:1027]):
        return False
    middles = np.add(BLOCK_STARTS[:-1], BLOCK_STARTS[1:]) // 2
    return np.unique(labels[middles]).size == 10


def _select(images, labels, digits, source):
    """Take the first images of each digit, as many of the one as of the other."""
    if len(images) != len(labels):
        raise ValueError(f"X and Y of source {source} must have one length, got {len(images)} and {len(labels)}")
    rows = [np.flatnonzero(labels == digit) for digit in digits]
    count = _common_count(rows, digits, source)
    return [images[row[:count]] for row in rows]


def _common_count(groups, digits, source):
    for digit, group in zip(digits, groups, strict=True):
        if len(group) == 0:
            raise ValueError(f"source {source} must hold images of both digits {digits}, got none of {digit}")
    return min(map(len, groups))


def _read_class_folders(source, digits):
    """Read the first images of each digit from folders of image files, as many of the one as of the other."""
    root = _class_root(source)
    files = []
    for digit in digits:
        paths = (root / str(digit)).glob("*")
        files.append(sorted(p for p in paths if _is_image(p.name)))
    count = _common_count(files, digits, source)
    module = _pillow_image()
    return [np.stack([_read_image(path, module) for path in paths[:count]]) for paths in files]


def _class_root(source):
    for root in (source, source / "Dataset", *sorted(source.glob("*/Dataset"))):
        if any((root / str(digit)).is_dir() for digit in range(10)):
            return root
    raise ValueError(f"source {source} must hold X.npy and Y.npy, or folders 0...9 of images, or Dataset with these")


def _is_image(name):
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _read_image(path, module):
    with _reading(path, "a readable image"), path.open("rb") as file, module.open(file) as image:
        # Bilinear in Pillow averages over all the pixels that shrink into one.
        grey = image.convert("L").resize((SIZE, SIZE), module.Resampling.BILINEAR)
        return np.asarray(grey, dtype=np.uint8)


def _pillow_image():
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('reading image files takes Pillow: pip install "fastlr[data]"') from error
    return Image


# The archive


def _download(url, folder, n_retries, delay):
    try:
        return fetch_file(url, folder=folder, local_filename="archive.zip", n_retries=n_retries, delay=delay)
    except (URLError, ConnectionError, TimeoutError, HTTPException) as error:
        if hasattr(error, "close"):
            error.close()  # an HTTPError holds the connection
        raise ConnectionError(f"could not download {url}: {error}") from error


def _unpack(archive, folder, url):
    """Write the image members of a zip file below `folder` and return the folder of the class folders."""
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                # Windows' rules know drives and both slashes, so they catch the tricks of either system.
                parts = PureWindowsPath(member.filename)
                if parts.anchor or ".." in parts.parts:
                    raise ValueError(f"it has the member {member.filename!r}, which leads out of the folder")
                if _is_image(parts.name) and not member.is_dir():
                    path = folder.joinpath(*parts.parts)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(members.read(member))
        return _class_root(folder)
    except OSError:
        raise  # of the disk, not of the archive
    except Exception as error:  # zipfile and zlib raise several kinds
        raise ValueError(f"{url} is not a zip archive of sign images, nothing of it was kept: {error}") from error
