#!/usr/bin/env python
"""The project's command line."""

import os
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = Path(".venv/bin/python")


def main() -> int:
    try:
        from config.entry import command_line  # noqa: PLC0415 -- what it needs may not be installed yet
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in {"config", "dbops"}:
            raise
        sys.stderr.write(f"manage.py: {error.name} is not installed for {sys.executable}\n")
        sys.stderr.write(f"HINT: {_remedy()}\n")
        return 2
    return command_line(sys.argv)


def _remedy() -> str:
    """The command that helps: with the project's environment, where there is one; else the ones that make it."""
    environment = HERE / ENVIRONMENT
    if environment.exists() and Path(sys.executable).parent != environment.absolute().parent:
        return shlex.join([os.path.relpath(environment), *sys.argv])
    return "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        sys.stderr.write("manage.py: interrupted\n")
        code = 2
    sys.exit(code)
