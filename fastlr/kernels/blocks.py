"""What a pass has to say at last: the sums of its blocks, added in the order of the blocks."""

from ..runtime.jit import CONTRACT, helper


@helper(CONTRACT)
def add_blocks(sums, gradients, result):
    """Add up what the blocks of a pass wrote; for the leader, when all are written.

    Parameters
    ----------
    sums : float64 array of shape (n_blocks, 2)
        Loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        X^T residual of each block.
    result : float64 array of shape (n_features + 2,)
        Written: the gradient of the coefficients, of the intercept, and the loss.
    """
    n_features = gradients.shape[1]
    gradient = result[:n_features]
    first = gradients[0]
    for j in range(n_features):
        gradient[j] = first[j]
    for k in range(1, gradients.shape[0]):
        more = gradients[k]
        for j in range(n_features):
            gradient[j] += more[j]
    add_sums(sums, result[n_features:])


@helper(CONTRACT)
def add_sums(sums, result):
    """Add up (loss, sum of the residuals) of blocks, and write them in the other order."""
    loss = 0.0
    total = 0.0
    for k in range(sums.shape[0]):
        loss += sums[k, 0]
        total += sums[k, 1]
    result[0] = total
    result[1] = loss
