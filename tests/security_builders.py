"""Rows of the sections on security with harmless defaults, for the pure tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dbops.snapshot.django_rows import DjangoDatabase
from dbops.snapshot.rows import DjangoSettings
from dbops.snapshot.security_rows import (
    DefinerFunction,
    HostRule,
    Policy,
    ReachableRole,
    RolePassword,
    RowSecurity,
    SchemaGrants,
    SessionSecurity,
)
from tests import setting_builders

IN_DEVELOPMENT = (DjangoSettings(use_tz=True, debug=True),)
IN_PRODUCTION = (DjangoSettings(use_tz=True, debug=False),)

SERVER = replace(setting_builders.SERVER, is_monitor=True)
SESSION = SessionSecurity(
    role="web",
    is_superuser=False,
    can_create_roles=False,
    bypasses_row_security=False,
    can_replicate=False,
    is_bootstrap=False,
    is_ssl=False,
    is_gss_encrypted=False,
    client_address=None,
    server_address=None,
)
REACHABLE = ReachableRole(
    role="admin",
    is_superuser=True,
    can_create_roles=False,
    bypasses_row_security=False,
    can_replicate=False,
    via="admin",
    grantor="postgres",
    is_admin=False,
    inherits=True,
    can_set=True,
)
SCHEMA = SchemaGrants(schema="public", owner="pg_database_owner", extension=None, is_open=False, creators=())
FUNCTION = DefinerFunction(
    oid=1,
    schema="public",
    name="grant_all",
    arguments="integer",
    kind="f",
    language="plpgsql",
    owner="app",
    is_owned_by_superuser=False,
    is_parsed=False,
    is_callable=True,
    search_path=None,
)
POLICY = Policy(
    oid=1,
    table_oid=1,
    name="own",
    command="*",
    is_permissive=True,
    roles=(),
    is_for_us=True,
    is_readable=True,
    using="(user_id = 1)",
    with_check=None,
    stable_calls=(),
)
RULE = HostRule(
    line=1,
    type="host",
    databases=("all",),
    users=("all",),
    address="all",
    netmask=None,
    method="scram-sha-256",
    options=(),
    error=None,
)


def a_session(**values: Any) -> SessionSecurity:
    """An ordinary role's, over a Unix socket."""
    return replace(SESSION, **values)


def a_reachable_role(**values: Any) -> ReachableRole:
    """A superuser that the role is a direct member of."""
    return replace(REACHABLE, **values)


def a_schema_grant(schema: str = "public", **values: Any) -> SchemaGrants:
    """A schema in which only its owner may create."""
    return replace(SCHEMA, schema=schema, **values)


def a_function(**values: Any) -> DefinerFunction:
    """A SECURITY DEFINER function without a search path of its own that everybody may call."""
    return replace(FUNCTION, **values)


def a_policy(name: str = "own", **values: Any) -> Policy:
    """A policy of table 1 for everybody and everything."""
    return replace(POLICY, name=name, **values)


def a_row_security(table_oid: int = 1, **values: bool) -> RowSecurity:
    """Table 1's, switched on; somebody else owns it."""
    return RowSecurity(table_oid=table_oid, **{"is_enabled": True, "is_forced": False, "is_own": False, **values})


def a_rule(**values: Any) -> HostRule:
    """A line of pg_hba.conf that asks everybody for a password."""
    return replace(RULE, **values)


def a_password(role: str = "web", kind: str | None = "scram-sha-256") -> RolePassword:
    """A role that may log in."""
    return RolePassword(role=role, kind=kind)


def a_database(**values: Any) -> DjangoDatabase:
    """The default alias, on another machine."""
    defaults: dict[str, Any] = {
        "alias": "default",
        "is_target": True,
        "host_kind": "network",
        "ssl_mode": "prefer",
        "is_same_server": True,
        "pool_size": None,
        "keeps_connections": False,
        "uses_cursors": True,
        "prepares": False,
    }
    return DjangoDatabase(**(defaults | values))
