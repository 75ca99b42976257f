"""``fastlr warmup``: compile ahead."""

import argparse

from .._warmup import make_seed, warm_everything


def main(argv):
    """Compile for this processor, or a seed."""
    parser = argparse.ArgumentParser(prog="fastlr warmup", description="Compile all kernels that the package has.")
    parser.add_argument(
        "--seed",
        metavar="FOLDER",
        help="for portable levels of processors, into a folder that can travel (default: for this one, into the cache)",
    )
    parser.add_argument("--levels", nargs="+", metavar="LEVEL", help="those of the seed (default: all that run here)")
    options = parser.parse_args(argv)
    make_seed(options.seed, options.levels) if options.seed else warm_everything()
