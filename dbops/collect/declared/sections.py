"""The sections of what models and migrations declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.collect.declared.tables import declared_tables
from dbops.collect.declared.triggers import Declarations
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from django.apps.registry import Apps

    from dbops.snapshot.snapshot import Section

#: What is read together. What a scratch server has to be asked turns out later, when the database was looked at.
DECLARED: Final = frozenset(
    {
        "declared_tables",
        "declared_columns",
        "declared_indexes",
        "declared_constraints",
        "declared_triggers",
        "normal_forms",
    }
)


def declared_sections(alias: str, registry: Apps) -> dict[str, Section]:
    """Return the sections of what is declared for DATABASES[alias], or why there are none."""
    declarations = Declarations(alias, registry)
    sections = declared_tables(alias, registry)
    constraints = sections["declared_constraints"]
    if not isinstance(constraints, Unavailable):
        sections["declared_constraints"] = tuple(declarations.with_actions(one) for one in constraints)
    return {**sections, "declared_triggers": declarations.triggers(), "normal_forms": ()}
