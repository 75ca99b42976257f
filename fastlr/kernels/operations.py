"""What the threads of a round do: one number for each kind of pass."""

from enum import IntEnum


class Operation(IntEnum):
    """The operation of a round; each kernel knows some of them."""

    NONE = 0  # of a round that sends threads home
    RAW_PREDICTION = 1  # X w + b
    LOSS_GRADIENT = 2  # summed loss and its gradient
    HESSIAN_PRODUCT = 3  # [X 1]^T D [X 1] v
    COLUMN_MOMENTS = 4  # X^T D 1, and sums of D x^2
    INTERCEPT_COLUMN = 5  # [X 1]^T D 1
    CLASS_PRODUCTS = 6  # sums of the products of the classes' probabilities
    HESSIAN = 7  # [X 1]^T D [X 1]
    GRAM = 8  # X X^T
    LOSS = 9  # loss and residuals
    STEP = 10  # a step of gradient descent, and loss and residuals there
    LOSS_GRADIENT_COLUMN = 11  # LOSS_GRADIENT and INTERCEPT_COLUMN
