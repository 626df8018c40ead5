"""The project's migration files, read whatever state they are in; no database is asked which of them are applied."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db.migrations.exceptions import BadMigrationError, CircularDependencyError, NodeNotFoundError
from django.db.migrations.loader import MigrationLoader

from dbops.errors import DbopsError

#: What reading the migrations may end with: a graph that does not fit together, or a module that cannot be imported,
#: which being anybody's code fails in any of Python's ways.
_BROKEN: Final = (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
    CommandError,
    ImproperlyConfigured,
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class UnreadableMigrationsError(DbopsError):
    """the migrations cannot be read"""


def load_migrations() -> MigrationLoader:
    """Return Django's loader with the files and the graph of all installed apps' migrations.

    Where a squashed migration stands beside those it replaces, the graph has the squashed one: it is what Django takes
    on a new database, and what stays when the others are removed.

    Raises:
        UnreadableMigrationsError: a file or the graph is broken.
    """
    try:
        return MigrationLoader(None)
    except _BROKEN as error:
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        message = f"the migrations cannot be read: {reason}"
        raise UnreadableMigrationsError(message) from error
