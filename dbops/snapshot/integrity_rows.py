"""The rows of the sections that tell whether what is stored can be relied on: checksums and collations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec

from dbops.snapshot.names import qualified

#: The oid that stands for a database's own collation.
DEFAULT_COLLATION_OID = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumFailures:
    """Damaged pages met since the statistics were last reset: a database's, or (without a name) the shared catalogues'.

    `failures` is None where the server keeps no checksums.
    """

    database: str | None
    failures: int | None
    last_failure_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collation:
    """The database's own collation (oid 100), or one that a column, an index or a partition key uses.

    `provider` is pg_collation's letter: `c` libc, `i` ICU, `b` built in. `version` is what was recorded when it was
    made or last refreshed, `actual_version` what the provider has now; both are None where there are no versions, as
    for C. `locale` is the provider's name for the rules.
    """

    oid: int
    schema: str
    name: str
    provider: str
    locale: str | None
    is_deterministic: bool
    version: str | None
    actual_version: str | None

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)
