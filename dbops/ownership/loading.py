"""Reading the project's migrations, whatever state they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db.migrations.exceptions import BadMigrationError, CircularDependencyError, NodeNotFoundError
from django.db.migrations.loader import MigrationLoader

from dbops.ownership.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.migrations.graph import MigrationGraph
    from django.db.migrations.migration import Migration

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


def load_history() -> History:
    """Return the history of the installed apps' migrations; one that says why when they cannot be read.

    No database is asked which migrations are applied. So where a squashed migration stands beside those it replaces,
    the squashed one is named: it is what Django takes on a new database, and what stays when the others are removed.
    """
    try:
        return History(_in_order(MigrationLoader(None).graph))
    except _BROKEN as error:
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        return History(note=f"no migration is named, for the migrations cannot be read: {reason}")


def _in_order(graph: MigrationGraph) -> Iterator[Migration]:
    keys = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    return (migration for key in keys if (migration := graph.nodes[key]) is not None)
