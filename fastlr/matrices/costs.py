"""What products cost, in passes: the unit in which solvers are chosen."""


def hessian_cost(n_samples, n_coef):
    """What a Hessian of dense X costs to form and to factorise, in passes.

    Measured to form, for two classes: 4 at 50 features, 21 at 400.
    """
    return 1.0 + n_coef / 16 + n_coef**2 / (24 * n_samples)
