"""What a check says: findings, and what it could not see."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dbops.findings.fix import Fix


class Kind(StrEnum):
    """What a target is."""

    TABLE = "table"
    COLUMN = "column"
    INDEX = "index"
    CONSTRAINT = "constraint"
    SEQUENCE = "sequence"
    FUNCTION = "function"
    POLICY = "policy"
    SCHEMA = "schema"
    EXTENSION = "extension"
    ROLE = "role"
    SETTING = "setting"
    DATABASE = "database"
    SESSION = "session"
    SLOT = "slot"
    REPLICA = "replica"
    QUERY = "query"
    MIGRATION = "migration"
    CACHE = "cache"
    POOL = "pool"
    BACKUP = "backup"
    DISK = "disk"


class Severity(StrEnum):
    """How bad it is for the site."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How sure the finding is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Basis(StrEnum):
    """What the finding rests on."""

    STRUCTURAL = "structural"
    MEASURED = "measured"
    ESTIMATED = "estimated"


class Tag(StrEnum):
    """Whether a check judges the schema and the settings, or the living database."""

    STRUCTURAL = "structural"
    LIVE = "live"


class Ownership(StrEnum):
    """Who can fix it."""

    MINE = "mine"
    CONTRIB = "contrib"
    THIRD_PARTY = "third_party"
    UNMANAGED = "unmanaged"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Target:
    """What a finding is about, named as `docs/contracts.md` lays down."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where in the schema a finding lies, unquoted: what ownership needs to find the model, field and migration.

    `model` names the model (`shop.Order`) of a table that is not there; `table_oid` is 0 then.
    """

    table_oid: int
    columns: tuple[str, ...] = ()
    index: str | None = None
    constraint: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who made it: the model (`shop.Order`), its field, and the migration (`0003_order_user`) that made the object."""

    ownership: Ownership = Ownership.SERVER
    app_label: str | None = None
    model: str | None = None
    field: str | None = None
    migration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with one target.

    `message` says why it matters here, with the numbers. `evidence` holds those numbers by name, in the units of the
    names; `size_bytes` and `writes` are added up where many findings are shown as one. `rolled_up` names the further
    targets that this finding stands for. `is_red` marks a condition that caps the score. `check` and `owner` are filled
    in after the check has spoken.
    """

    target: Target
    message: str
    severity: Severity = Severity.WARNING
    confidence: Confidence = Confidence.HIGH
    basis: Basis = Basis.STRUCTURAL
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)
    fix: Fix | None = None
    location: Location | None = None
    rolled_up: tuple[str, ...] = ()
    is_red: bool = False
    check: str = ""
    owner: Owner = field(default_factory=Owner)

    def fingerprint(self, database: str) -> str:
        """Return the finding's identity in `database` (an alias or a name): nothing in it changes by itself."""
        identity = f"{database}\0{self.check}\0{self.target.kind}\0{self.target.name}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def added(findings: Collection[Finding], names: Iterable[str]) -> dict[str, int | float | str]:
    """Return the sums of these numbers in the findings' evidence, without those that one of them does not know."""
    sums: dict[str, int | float | str] = {}
    for name in names:
        numbers = [value for finding in findings if isinstance(value := finding.evidence.get(name), int)]
        if len(numbers) == len(findings):
            sums[name] = sum(numbers)
    return sums


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something a check could not look at: which target, why, and what would let it."""

    target: str
    reason: str
