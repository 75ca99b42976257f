"""Parquet files: a row group is a block, columns are features by name."""

import numpy as np

from .local import NumberedSource


def _arrow():
    try:
        import pyarrow
        import pyarrow.dataset
    except ImportError as error:
        raise ImportError('X is a path of Parquet files, which takes pyarrow: install "fastlr[parquet]"') from error
    return pyarrow


class ParquetSource(NumberedSource):
    """Blocks of a data set.

    Two row groups are read at a time: one waits for the file while another is decoded.

    Parameters
    ----------
    data : path, list of paths or pyarrow.dataset.Dataset
    y, sample_weight : str, optional
        Names of columns.
    names : list of str
        Columns to read, in their order; empty for all but y and sample_weight.
    """

    n_readers = 2

    def __init__(self, data, y, sample_weight, names):
        self._arrow = arrow = _arrow()
        for name, column in (("y", y), ("sample_weight", sample_weight)):
            if not (column is None or isinstance(column, str)):
                raise TypeError(f"{name} must be the name of a column of X, got {type(column).__name__}")
        try:
            if not isinstance(data, arrow.dataset.Dataset):
                data = arrow.dataset.dataset(data, format="parquet")
            self._schema = data.schema
            files = list(data.get_fragments())
            groups = [group for file in files for group in file.split_by_row_group()]
        except AttributeError as error:
            raise TypeError("X must be a data set of Parquet files") from error
        except TypeError as error:
            kind = type(data).__name__
            raise TypeError(f"X must be a path of Parquet files or a pyarrow.dataset.Dataset, got {kind}") from error
        except (arrow.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise OSError(f"X cannot be read: {error}") from error
        except ValueError as error:  # of a filter, say
            raise ValueError(f"X cannot be read: {error}") from error
        self._groups = [group for group in groups if group.row_groups[0].num_rows]
        if not self._groups:
            raise ValueError("X must not be empty: its files have no rows")
        vectors = y, sample_weight
        wanted = [column for column in vectors if column is not None]
        self.feature_names = names or [name for name in self._schema.names if name not in wanted]
        if not self.feature_names:
            raise ValueError(f"X has no column for a feature, but {self._schema.names}")
        for column in [*self.feature_names, *wanted]:
            if column not in self._schema.names:
                raise ValueError(f"X has no column {column!r}, but {self._schema.names}")
        self.n_features = len(self.feature_names)
        self.dtype = np.result_type(*(self._dtype(name) for name in self.feature_names))
        self.labels = [self._labels(k, vectors) for k in range(len(self._groups))]

    def _dtype(self, name):
        kind, types = self._schema.field(name).type, self._arrow.types
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise TypeError(
                f"column {name!r} of X ({self.name(0)}) is of type {kind}: encode categories and text as numbers, or "
                "leave the column out"
            )
        return np.dtype(kind.to_pandas_dtype())

    def _labels(self, k, vectors):
        return tuple(None if column is None else np.concatenate(*self._columns(k, [column])) for column in vectors)

    def _columns(self, k, names):
        """Columns of a row group, each as arrays of NumPy that follow one another."""
        try:
            table = self._groups[k].to_table(schema=self._schema, columns=names)
        except (self._arrow.ArrowException, OSError) as error:
            raise OSError(f"{self.name(k)} cannot be read: {error}") from error
        arrays = []
        for name in names:
            column = table.column(name)
            if column.null_count:
                raise ValueError(f"column {name!r} has {column.null_count} nulls in {self.name(k)}")
            if self._arrow.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            arrays.append([chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks])
        return arrays

    def name(self, k):
        """See `Source`."""
        group = self._groups[k]
        return f"row group {group.row_groups[0].id} of {group.path}"

    def _read(self, k):
        """See `NumberedSource`."""
        return self._columns(k, self.feature_names)

    def _blocks(self, numbers):
        """See `NumberedSource`; the caller's thread joins columns, for those of pyarrow are busy with the next ones."""
        space = np.empty(max(group.row_groups[0].num_rows for group in self._groups) * self.n_features, self.dtype)
        for columns in super()._blocks(numbers):
            n_rows = sum(map(len, columns[0]))
            block = space[: n_rows * self.n_features].reshape(n_rows, -1, order="F")
            for j in range(self.n_features):
                np.concatenate(columns[j], out=block[:, j])
                columns[j] = None  # frees them
            yield block
