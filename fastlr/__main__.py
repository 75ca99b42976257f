"""The command line: the study, or the command that comes first."""

import importlib
import subprocess
import sys
import zipfile

_COMMANDS = ("fit", "info", "warmup")  # each a module of `_cli`, as the study is


def main(argv=None):
    """Run a command; returns the exit status, 2 where it was asked for what there is not."""
    argv = sys.argv[1:] if argv is None else argv
    command, argv = (argv[0], argv[1:]) if argv[:1] and argv[0] in _COMMANDS else ("study", argv)
    try:
        importlib.import_module(f"._cli.{command}", __package__).main(argv)
    except (
        EOFError,
        ImportError,
        OSError,
        TypeError,
        ValueError,
        subprocess.CalledProcessError,
        zipfile.BadZipFile,
    ) as error:
        name = "fastlr" if command == "study" else f"fastlr {command}"
        print(f"{name}: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
