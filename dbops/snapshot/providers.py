"""Who runs a server that is not run by the people who use it, and what that changes about advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.snapshot.rows import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider by the name people use, and where its customers change settings, for ALTER SYSTEM is refused to them.

    `has_own_storage`: pages are kept safe by a storage service and not by the server's own files, so that fsync and
    full_page_writes say nothing there (Neon and Aurora are built so, and Neon runs with fsync off).
    """

    name: str
    settings_place: str
    has_own_storage: bool = False


#: By the name in `Server.provider`, which `server.sql` takes from what only that provider's servers have.
PROVIDERS: Final[Mapping[str, Provider]] = {
    "rds": Provider(name="Amazon RDS", settings_place="the instance's parameter group"),
    "aurora": Provider(
        name="Amazon Aurora",
        settings_place="the parameter groups of cluster and instance",
        has_own_storage=True,
    ),
    "cloudsql": Provider(name="Google Cloud SQL", settings_place="the instance's database flags"),
    "neon": Provider(
        name="Neon", settings_place="the settings of the project's compute, by Neon's support", has_own_storage=True
    ),
    "supabase": Provider(name="Supabase", settings_place="the project's Postgres configuration (its dashboard or CLI)"),
    "azure": Provider(name="Azure Database for PostgreSQL", settings_place="the server parameters"),
}


def provider_of(server: Server) -> Provider | None:
    """Return who runs `server`; None where nothing tells it from one's own."""
    return PROVIDERS.get(server.provider or "")
