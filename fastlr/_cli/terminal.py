"""What is shown on a terminal alone."""

import sys


def progress(items, what):
    """Go through a list with a bar on standard error, where that is a terminal.

    Parameters
    ----------
    items : list
    what : str
        What is being done.

    Yields
    ------
    object
        Each item.
    """
    shown = sys.stderr is not None and sys.stderr.isatty()
    width = 30
    for place, item in enumerate(items):
        if shown:
            bar = "#" * (width * place // len(items))
            print(f"\r{what} [{bar:<{width}}] {place}/{len(items)}", end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print("\r" + " " * (len(what) + width + 20) + "\r", end="", file=sys.stderr, flush=True)
