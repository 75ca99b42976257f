"""What products cost, in passes: the unit in which solvers are chosen."""


def hessian_cost(n_samples, n_coef):
    """What a Hessian of dense X costs to form and to factorise, in passes.

    Measured to form, for two classes: 4 at 50 features, 21 at 400.
    """
    return 1.0 + n_coef / 16 + n_coef**2 / (24 * n_samples)


def gram_cost(n_samples, n_features):
    """What X X^T of dense X costs, and Newton's method on it with four factors, in passes.

    Measured: 65 for the first at 2,000 samples, 37 for a factor with as many features.
    """
    return n_samples / 32 + 4 * n_samples**2 / (54 * n_features)
