"""Copies of programs for an account that cannot reach the originals: nobody's directories are opened for it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.embedded.places import private_name, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

COPIES_DIRECTORY = Path("/var/tmp")  # noqa: S108 -- a copy is used only if we own it and nobody else can write there
_UNUSED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "__pycache__")


def readable_copy(parts: Sequence[Path], version: str) -> Path:
    """A directory of ours with a copy of each part, readable by everybody; made once, complete or not at all."""
    target = COPIES_DIRECTORY / f"{private_name(parts[0], os.geteuid())}-{version}"
    if not target.exists():
        _copy(parts, target)
    found = target.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise refused(target, "is not ours alone")
    return target


def _copy(parts: Sequence[Path], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dbops-copy-", dir=target.parent) as directory:
        copy = Path(directory) / "copy"
        copy.mkdir()
        for part in parts:
            if part.is_dir():
                shutil.copytree(part, copy / part.name, symlinks=True, ignore=_UNUSED)
            else:
                shutil.copy2(part, copy)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            copy.rename(target)
        except OSError:
            # Another process was first, and its copy is as good as ours.
            if not target.is_dir():
                raise
