"""The files that the project's own models and migrations are written in, as paths from the repository's root."""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from dbops.findings.finding import Ownership
from dbops.findings.source import Place, Source
from dbops.ownership.project import INSTALLED, Project

if TYPE_CHECKING:
    from dbops.findings.finding import Owner

#: What marks the root of a work tree.
_REPOSITORY: Final = (".git", ".hg", ".jj")
_NOWHERE: Final = Source()


class SourceFiles:
    """Finds where an owner is written. Other people's files, and files outside of `root`, are nowhere."""

    def __init__(self, root: Path | None) -> None:
        self._root = None if root is None else Path(os.path.realpath(root))
        self._classes: dict[str, tuple[str | None, list[str], int]] = {}

    @classmethod
    def of_project(cls) -> SourceFiles:
        """Return the files of the repository that the project lies in, or of the project where it lies in none."""
        root = Project.of_settings().root
        if root is None:
            return cls(None)
        real = Path(os.path.realpath(root))
        holders = (place for place in (real, *real.parents) if any((place / mark).exists() for mark in _REPOSITORY))
        return cls(next(holders, real))

    @property
    def settings_file(self) -> Place:
        """The settings' file, or manage.py where that is none of the project's: where what has no file belongs."""
        module = sys.modules.get(settings.SETTINGS_MODULE or "")
        return self._place(module.__file__ if module else None) or Place(path="manage.py")

    def source(self, owner: Owner) -> Source:
        """Return where `owner` is written."""
        if owner.ownership is not Ownership.MINE:
            return _NOWHERE
        return Source(declared=self._declared(owner), migration=self._migration(owner))

    def _declared(self, owner: Owner) -> Place | None:
        if owner.model is None:
            return None
        if owner.model not in self._classes:
            self._classes[owner.model] = _written(owner.model)
        file, lines, first = self._classes[owner.model]
        field = re.compile(rf"\s+{re.escape(owner.field)}\s*[:=]") if owner.field else None
        offset = next((number for number, line in enumerate(lines) if field and field.match(line)), 0)
        return self._place(file, first + offset)

    def _migration(self, owner: Owner) -> Place | None:
        if owner.app_label is None or owner.migration is None:
            return None
        package, _ = MigrationLoader.migrations_module(owner.app_label)
        module = sys.modules.get(f"{package}.{owner.migration}")  # it was imported when its name was found
        return self._place(module.__file__ if module else None)

    def _place(self, file: str | None, line: int = 1) -> Place | None:
        path = None if file is None else Path(os.path.realpath(file))
        if path is None or self._root is None or not path.is_relative_to(self._root):
            return None
        inside = path.relative_to(self._root)
        return Place(path=inside.as_posix(), line=line) if INSTALLED.isdisjoint(inside.parts) else None


def _written(model: str) -> tuple[str | None, list[str], int]:
    """Return the file of a model's class, its lines, and the number of the first; no file where it was made in code."""
    try:
        found = apps.get_model(model)
        return inspect.getsourcefile(found), *inspect.getsourcelines(found)
    except (LookupError, ValueError, OSError, TypeError):
        return None, [], 1
