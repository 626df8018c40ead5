"""Ends a throw-away server when the tests end, in whatever way: runs beside them and waits for its input to close.

A fixture's end is not reached when the tests are killed; the end of a pipe is.
"""

import contextlib
import pickle
import shutil
import sys


def main() -> None:
    cluster, directory = pickle.load(sys.stdin.buffer)  # noqa: S301 -- written by the tests that started us
    sys.stdin.buffer.read()
    cluster.stop()
    shutil.rmtree(directory)
    with contextlib.suppress(OSError):  # the guard of another server is not done yet
        directory.parent.rmdir()


if __name__ == "__main__":
    main()
