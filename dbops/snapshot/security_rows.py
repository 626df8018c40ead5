"""The rows of the sections that say who may do what: the session, roles, schemas, functions, row-level security."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.snapshot.names import qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAttributes:
    """A role, and of its attributes those that pass by every GRANT. Attributes are never inherited."""

    role: str
    is_superuser: bool
    can_create_roles: bool
    bypasses_row_security: bool
    can_replicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSecurity(RoleAttributes):
    """Who logged in for this look, and over what; always exactly one row.

    `role` is who logged in, whatever role was set afterwards. `is_bootstrap` marks the role that initdb made: it cannot
    stop being a superuser. The addresses are None where the connection is a Unix socket.
    """

    is_bootstrap: bool
    is_ssl: bool
    is_gss_encrypted: bool
    client_address: str | None
    server_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachableRole(RoleAttributes):
    """A role with such attributes that the one who logged in may become, or a predefined one whose rights it has.

    It gets there by being a member of `via`. `grantor` is who granted that; `is_admin`, `inherits` and `can_set` are
    the options it was granted with: a grant by another is another row. Before 16 there is one grant, whose grantor does
    not matter, and ADMIN is the only option: the others are None.
    """

    via: str
    grantor: str | None
    is_admin: bool
    inherits: bool | None
    can_set: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaGrants:
    """A schema outside the system's, and whether everybody may create in it.

    `creators` are the owners of relations there who may create in it only because everybody may.
    """

    schema: str
    owner: str
    extension: str | None
    is_open: bool
    creators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinerFunction:
    """A SECURITY DEFINER function (kind `f`, `w` for a window function) or procedure (`p`), extensions' left out.

    `arguments` are the types of its input arguments. `search_path` is what its own SET clause says, as SQL takes it.
    `is_parsed` marks a body whose names were resolved when it was created (BEGIN ATOMIC). `is_callable`: somebody but
    its owner may run it, or it is a trigger's, which runs for whoever changes the table.
    """

    oid: int
    schema: str
    name: str
    arguments: str
    kind: str
    language: str
    owner: str
    is_owned_by_superuser: bool
    is_parsed: bool
    is_callable: bool
    search_path: str | None

    @property
    def signature(self) -> str:
        return f"{qualified(self.schema, self.name)}({self.arguments})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSecurity:
    """A table that has policies or row-level security; `is_forced` lets it hold for the table's owner, too.

    `is_own`: the role that looked owns it, itself or as a member of the owner, and is not above all policies anyhow.
    """

    table_oid: int
    is_enabled: bool
    is_forced: bool
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A row-level security policy. `command` is `*` all, `r` SELECT, `a` INSERT, `w` UPDATE, `d` DELETE.

    `roles` is empty where it holds for everybody; `is_for_us` says whether it holds for the role that looked. The
    expressions are None where there are none, or where the table was locked (`is_readable` is False then).
    `stable_calls` are calls, as the expressions print them, of functions without arguments that are STABLE and not the
    system's.
    """

    oid: int
    table_oid: int
    name: str
    command: str
    is_permissive: bool
    roles: tuple[str, ...]
    is_for_us: bool
    is_readable: bool
    using: str | None
    with_check: str | None
    stable_calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """A line of pg_hba.conf as it stands in the file; `address` and `netmask` are None for Unix sockets.

    `error` is why the server cannot use the line.
    """

    line: int
    type: str | None
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str | None
    netmask: str | None
    method: str | None
    options: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePassword:
    """A role that may log in, and how the server keeps its password: `md5`, `scram-sha-256`, None when it has none."""

    role: str
    kind: str | None
