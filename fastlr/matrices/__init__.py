"""X and its passes: all that upper floors may ask of it is in `base`. A file for each way to read X."""

from scipy import sparse

from .small import SmallMatrix, is_small


def matrix_for(X, n_classes=2, *, dtype=None, team=None):
    """The matrix that suits X.

    Only those of compiled passes need Numba, so they are imported where one is made.

    Parameters
    ----------
    X : array or SciPy CSR of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    n_classes : int
    dtype : numpy dtype, optional
        What products with dense X are computed in; see `DenseMatrix`.
    team : Team, optional

    Returns
    -------
    Matrix
    """
    if is_small(X, n_classes):
        return SmallMatrix(X.toarray() if sparse.issparse(X) else X)
    return compiled_matrix(X, dtype=dtype, team=team)


def compiled_matrix(X, *, dtype=None, team=None, name="X"):
    """The matrix of compiled passes over X; parameters as of `matrix_for`, and what errors call X."""
    if sparse.issparse(X):
        from .csr import CSRMatrix

        return CSRMatrix(X, team=team, name=name)
    from .dense import DenseMatrix

    return DenseMatrix(X, dtype=dtype, team=team, name=name)
