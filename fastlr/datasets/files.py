"""Readers of sign images: arrays, folders of image files, and the archive these come in."""

import contextlib
import functools
import zipfile
from pathlib import PureWindowsPath

import numpy as np

from .drawing import SIZE

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# The well-known X.npy holds its 2062 images in ten blocks of rows, one for each digit. Its Y.npy numbers the blocks by
# their place, 0, 1, 2, ..., and not by the digit shown: row 204 is labelled 1 and shows a zero.
BLOCK_STARTS = (0, 204, 409, 615, 822, 1028, 1236, 1443, 1649, 1855, 2062)
BLOCK_DIGITS = (9, 0, 7, 6, 1, 8, 4, 3, 2, 5)


@contextlib.contextmanager
def _reading(source, expected):
    """Name source and what it should be when a reader fails; readers raise nearly anything at corrupt files."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        raise ValueError(f"source {source} is not {expected}: {error}") from error


def read_arrays(path):
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


def as_uint8(images, source):
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


def as_digits(labels, source):
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


def select(images, labels, digits, source):
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


def read_class_folders(source, digits):
    """Read the first images of each digit from folders of image files, as many of the one as of the other."""
    root = _class_root(source)
    files = []
    for digit in digits:
        paths = (root / str(digit)).glob("*")
        files.append(sorted(p for p in paths if _is_image(p.name)))
    count = _common_count(files, digits, source)
    module = pillow_image()
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


def pillow_image():
    """Pillow's module of images."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('reading image files takes Pillow: pip install "fastlr[data]"') from error
    return Image


def unpack(archive, folder, url):
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
