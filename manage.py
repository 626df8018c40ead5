#!/usr/bin/env python
"""The project's command line."""

import sys


def main() -> int:
    try:
        from config.entry import command_line  # noqa: PLC0415 -- what it needs may not be installed yet
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in {"config", "dbops"}:
            raise
        sys.stderr.write(f"manage.py: {error.name} is not installed for {sys.executable}\n")
        sys.stderr.write("HINT: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt\n")
        return 2
    return command_line(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
