"""Tables from files: features and labels of CSV, Parquet, svmlight and NPZ."""

import zipfile
from pathlib import Path

import numpy as np

from .._validation import listed

_SEPARATORS = ",;\t|"
_SUFFIXES = {
    "csv": tuple(kind + packed for kind in (".csv", ".tsv", ".txt") for packed in ("", ".gz", ".bz2", ".zip")),
    "parquet": (".parquet", ".pq"),
    "svmlight": (".svmlight", ".svm", ".libsvm"),
    "npz": (".npz",),
}


def read_table(path, target, *, drop=(), drop_missing=False, one_hot=False, **text):
    """X and y of a file, and what it calls the features.

    Parameters
    ----------
    path : str
        The ending says what it is.
    target : str or None
        Column of the labels, or their array in an NPZ file, "y" by default; svmlight files have labels of their own.
    drop : list of str
        Columns to leave out.
    drop_missing : bool
        Whether to leave out rows with a missing value.
    one_hot : bool
        Whether to make a column of each value of a column that holds text.
    **text : str
        Of a CSV file, `encoding` and `decimal`, as for `pandas.read_csv`.

    Returns
    -------
    X : DataFrame, ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    names : list of str, or None where the file has none

    Raises
    ------
    ImportError
        If a library that reads such files is not installed.
    OSError, ValueError, EOFError, zipfile.BadZipFile
        If the file cannot be read, or is no table that can be fitted; the message says what to do.
    """
    kind = _kind_of(path)
    text = {name: value for name, value in text.items() if value is not None}
    if text and kind != "csv":
        raise ValueError(f"--{next(iter(text))} is for CSV files")
    if kind in ("csv", "parquet"):
        X, y = _of_frame(_read_frame(path, kind, text), target, drop, drop_missing, one_hot)
        return X, y, list(X.columns)
    if drop or drop_missing or one_hot:
        raise ValueError("--drop, --drop-missing and --one-hot are for CSV and Parquet files")
    if kind == "npz":
        return *_read_npz(path, target or "y"), None
    if target is not None:
        raise ValueError("svmlight files have labels of their own: leave --target out")
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(path, zero_based=True)
    first = int(X[:, :1].nnz == 0)  # most such files count features from 1
    return X[:, first:], y, [str(number) for number in range(first, X.shape[1])]


def _kind_of(path):
    name = Path(path).name.lower()
    for kind, suffixes in _SUFFIXES.items():
        if name.endswith(suffixes):
            return kind
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    raise ValueError(f"{path} is of no kind that is known: its name must end in one of {known}")


def _read_frame(path, kind, text):
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError('CSV and Parquet files are read by pandas: pip install "fastlr[table]"') from error
    if kind == "parquet":
        return pd.read_parquet(path)

    def read(sep, **options):
        return pd.read_csv(path, sep=sep, skipinitialspace=True, **text, **options)

    try:
        frame = read(max(_SEPARATORS, key=lambda sep: len(read(sep, nrows=0).columns)))
    except UnicodeDecodeError as error:
        encoding = text.get("encoding", "utf-8")
        raise ValueError(f"{path} is not in {encoding}: pass its --encoding, latin-1 or utf-16 say") from error
    except LookupError as error:
        raise ValueError(f"--encoding must be one that Python knows: {error}") from error
    return frame.rename(columns=str.strip)


def _of_frame(frame, target, drop, drop_missing, one_hot):
    import pandas as pd

    for name in (*([] if target is None else [target]), *drop):
        if name not in frame.columns:
            raise ValueError(f"there is no column {name!r}, but {listed(frame.columns)}")
    if target is None:
        raise ValueError(f"--target must name the column of the labels, one of {listed(frame.columns)}")
    if target in drop:
        raise ValueError(f"--drop {target!r} would leave out the labels")
    frame = frame.drop(columns=list(drop))
    for name in frame.columns:
        if str(name).startswith("Unnamed: "):  # by pandas; what it has written itself has row numbers there
            raise ValueError(f"a column has no name: pass --drop {name!r}, or give it one")
    if len(frame.columns) < 2:
        raise ValueError(f"no column is left but {target!r}")
    if drop_missing:
        frame = frame.dropna()
    for name, count in frame.isna().sum().items():
        if count:
            instead = "" if name == target else f", or --drop {name!r}"
            raise ValueError(f"column {name!r} has {count} missing values: pass --drop-missing{instead}")
    if not len(frame):
        raise ValueError("there are no rows" + " without a missing value" * drop_missing)
    X, y = frame.drop(columns=target), frame[target].to_numpy()
    texts = [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]
    if texts and not one_hot:
        values = X[texts[0]].astype(str)
        wrong = values[pd.to_numeric(values, errors="coerce").isna()]
        example = next(iter(wrong), values.iloc[0])
        raise ValueError(
            f"column {texts[0]!r} holds no numbers, but {example!r}: pass --one-hot, or --drop {texts[0]!r}"
        )
    X = pd.get_dummies(X, columns=texts, prefix_sep="=", dtype=np.float64).astype(np.float64)
    return X.rename(columns=str), y


def _read_npz(path, target):
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is no NPZ file")
        file.seek(0)
        arrays = np.load(file)
        for name in ("X", target):
            if name not in arrays.files:
                raise ValueError(f"there is no array {name!r}, but {listed(arrays.files) or 'none'}")
        try:
            return arrays["X"], arrays[target]
        except ValueError as error:  # NumPy says how to unpickle them
            raise ValueError(f"{path} holds arrays of objects: X and {target} must be of numbers or text") from error
