"""Fixes that give a setting another value where its present one comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

#: Where settings come from that ALTER SYSTEM overrides.
_FILES: Final = frozenset({"default", "configuration file"})


def set_on_server(setting: Setting, value: str, server: Server, *, caution: str = "") -> Fix | None:
    """Return what makes `value` (a plain word) hold; None where no SQL can.

    No SQL can where the server's command line says otherwise, or only a restart helps. What was said for the role or
    the database goes, so that the server's own value holds again; `server` tells whose session showed the setting.
    """
    name, old = setting.name, setting.value
    role, database = quote_ident(server.role), quote_ident(server.database)
    scope = {
        "global": "ROLE ALL",
        "database": f"DATABASE {database}",
        "user": f"ROLE {role}",
        "database user": f"ROLE {role} IN DATABASE {database}",
    }.get(setting.source)
    if scope is not None:
        change = Statements(sql=(f"ALTER {scope} RESET {name};",), undo=(f"ALTER {scope} SET {name} = {old};",))
        notes = ["holds for new sessions, and needs a superuser"]
    elif setting.source in _FILES and setting.context != "postmaster":
        reload = "SELECT pg_reload_conf();"
        change = Statements(
            sql=(f"ALTER SYSTEM SET {name} = {value};", reload),
            undo=(f"ALTER SYSTEM SET {name} = {old};", reload),
            in_transaction=False,
        )
        notes = ["needs a superuser; a managed server has it among the provider's own settings"]
    else:
        return None
    return change.fix(caution="; ".join([*notes, *([caution] if caution else [])]))
