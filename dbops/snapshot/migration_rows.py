"""The rows of the sections that tell of migrations: the files there are, and those that a database has recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec
from typing import Final

#: Django's own list of the migrations it applied; its name cannot be changed.
TABLE_OF_MIGRATIONS: Final = "django_migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A migration that there is a file of, in the order in which Django applies them to a new database.

    `replaces` names the migrations that a squashed one stands for. `runs_here` is False where the app keeps nothing in
    this database, as the project's routers have it.
    """

    app_label: str
    name: str
    replaces: tuple[str, ...]
    runs_here: bool

    @property
    def label(self) -> str:
        """`shop.0001_initial`."""
        return f"{self.app_label}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMigration:
    """A row of Django's table of migrations, which lies in `schema`: this one was applied."""

    schema: str
    app_label: str
    name: str
    applied_at: datetime

    @property
    def label(self) -> str:
        """`shop.0001_initial`."""
        return f"{self.app_label}.{self.name}"
