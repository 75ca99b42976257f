"""The progress bar of many fits."""


class _NoBar:
    """A progress bar that is not shown."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def update(self, n):
        pass


class _Lines(_NoBar):
    """A progress bar where tqdm is not installed: a line for each fit."""

    def __init__(self, total):
        self._done, self._total = 0, total

    def update(self, n):
        self._done += n
        print(f"{self._done} of {self._total} fits")


def progress_bar(total, shown):
    """A bar for so many fits, to use as a context; one that is not shown where that is not asked."""
    if not shown:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Lines(total)
    return tqdm(total=total, desc="fits", unit="fit")
