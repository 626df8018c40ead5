"""Fixes that give a setting another value where its present one comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.snapshot.names import quote_ident
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

#: Where settings come from that ALTER SYSTEM overrides.
_FILES: Final = frozenset({"default", "configuration file"})
#: Who may change, besides superusers, what any session may set for itself; a role does it for itself.
_OWNERS: Final = {"global": "a superuser", "database": "the database's owner"}


def set_on_server(setting: Setting, value: str, server: Server, *, caution: str = "") -> Fix | None:
    """Return what makes `value` (as SQL takes it) hold; None where no SQL can.

    No SQL can where the server's command line says otherwise, only a restart helps, or the server is a provider's. What
    was said for the role or the database goes, so that the server's own value holds again; `server` tells whose session
    showed the setting.
    """
    name, old = setting.name, setting.value
    role, database = quote_ident(server.session_role), quote_ident(server.database)
    scope = {
        "global": "ROLE ALL",
        "database": f"DATABASE {database}",
        "user": f"ROLE {role}",
        "database user": f"ROLE {role} IN DATABASE {database}",
    }.get(setting.source)
    if scope is not None:
        change = Statements(sql=(f"ALTER {scope} RESET {name};",), undo=(f"ALTER {scope} SET {name} = {old};",))
        by = "a superuser" if setting.context != "user" else _OWNERS.get(setting.source)
        notes = [f"holds for new sessions{f', and needs {by}' if by else ''}"]
    elif setting.source in _FILES and setting.context != "postmaster" and provider_of(server) is None:
        reload = "SELECT pg_reload_conf();"
        change = Statements(
            sql=(f"ALTER SYSTEM SET {name} = {value};", reload),
            undo=(f"ALTER SYSTEM SET {name} = {old};", reload),
            in_transaction=False,
        )
        notes = ["needs a superuser"]
    else:
        return None
    return change.fix(caution="; ".join([*notes, *([caution] if caution else [])]))


def where_to_set(setting: Setting, server: Server) -> str:
    """Return the sentence that says where a provider lets `setting` be changed, after a space; empty elsewhere.

    It stands in a message where `set_on_server` has no SQL to give.
    """
    provider = provider_of(server)
    if provider is None or setting.source not in _FILES:
        return ""
    return f" On {provider.name} it is changed in {provider.settings_place}."
