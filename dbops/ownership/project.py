"""Whose an app is, told by the place where its package lies."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from dbops.findings.finding import Ownership

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.apps import AppConfig

#: Directories that installers fill, of whatever environment.
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


class Project:
    """Tells the apps of the project at `root` from installed ones.

    `own_apps`, patterns on an app's label or module (`shop`, `shop.*`), decide alone which apps are one's own when
    there are any. Otherwise an app is one's own when its package lies below the root and was not put there by an
    installer. Without a root nothing is.
    """

    def __init__(self, root: Path | None, own_apps: Sequence[str] | None = None) -> None:
        self.root = root
        self._own_apps = tuple(own_apps or ())

    @classmethod
    def of_settings(cls, own_apps: Sequence[str] | None = None) -> Project:
        """Return the project that Django's settings belong to."""
        return cls(_project_root(), own_apps)

    def ownership(self, config: AppConfig) -> Ownership:
        """Return whether an app is mine, Django's own, or a third party's."""
        names = (config.label, config.name)
        if any(fnmatchcase(name, pattern) for name in names for pattern in self._own_apps):
            return Ownership.MINE
        if config.name.startswith("django."):
            return Ownership.CONTRIB
        if not self._own_apps and self._holds(Path(config.path)) and not _is_unpacked_wheel(config):
            return Ownership.MINE
        return Ownership.THIRD_PARTY

    def _holds(self, path: Path) -> bool:
        """Whether a package lies below the root, by its real place or by the one it was imported from.

        The real place counts first: a link out of site-packages into the project leads to one's own code, a link out
        of the project into site-packages does not.
        """
        if self.root is None:
            return False
        real = _real(path)
        if not INSTALLED.isdisjoint(real.parts):
            return False
        if real.is_relative_to(_real(self.root)):
            return True
        return INSTALLED.isdisjoint(path.parts) and path.is_relative_to(self.root)


def _real(path: Path) -> Path:
    """Return where a path leads, with every link followed; what does not exist (inside a zip file) is kept."""
    return Path(os.path.realpath(path))


def _is_unpacked_wheel(config: AppConfig) -> bool:
    """Whether an installer put the package there after all: `pip install --target` leaves its record beside it."""
    package = Path(config.path)
    names = config.name.split(".")
    if list(package.parts[-len(names) :]) != names:
        return False
    directory = package.parents[len(names) - 1]
    for record in directory.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8") as lines:
            if any(line.startswith(f"{names[0]}/") for line in lines):
                return True
    return False


def _project_root() -> Path | None:
    """Return the project's directory: BASE_DIR, the one that holds the settings' package, or the running script's.

    A BASE_DIR that is itself inside the settings' package, without a manage.py, names the package and not the project.
    """
    package = _settings_package()
    base_dir = getattr(settings, "BASE_DIR", None)
    if base_dir is not None:
        root = Path(str(base_dir)).absolute()
        if package is None or (root / "manage.py").exists() or not _real(root).is_relative_to(_real(package)):
            return root
    if package is not None:
        return package.parent
    script = getattr(sys.modules["__main__"], "__file__", None)
    return Path(script).absolute().parent if script else None


def _settings_package() -> Path | None:
    """Return the topmost package (or the file) that the settings module lies in; None for settings made in code."""
    name = settings.SETTINGS_MODULE
    module = sys.modules.get(name) if name else None
    if module is None or not module.__file__:
        return None
    path = Path(module.__file__).absolute()
    if hasattr(module, "__path__"):
        path = path.parent
    return path.parents[name.count(".") - 1] if "." in name else path
