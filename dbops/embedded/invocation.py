"""A command of the project as it can be pasted into the shell at hand."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def manage(arguments: str) -> str:
    """`python manage.py` and the arguments; with the path of the Python that runs where `python` is not that one."""
    found, running = shutil.which("python"), Path(sys.executable)
    if found is not None and Path(found).parent == running.parent and running.samefile(found):
        program = "python"
    elif running.is_relative_to(Path.cwd()):
        program = os.path.relpath(running)
    else:
        program = str(running)
    return f"{shlex.quote(program)} manage.py {arguments}"
