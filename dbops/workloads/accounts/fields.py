"""An e-mail address that is kept as it was given and found whatever its case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Combinable
    from django.db.models.sql.compiler import SQLCompiler

    EmailField = models.EmailField[str | Combinable, str]
else:
    EmailField = models.EmailField


class CaseInsensitiveEmailField(EmailField):
    """An EmailField whose `iexact` asks `LOWER(column) = LOWER(value)`.

    Django's own `iexact` asks for UPPER, which no index on LOWER serves. It is what Django's password reset, an admin
    search for `=email` and this app's log-in use. Both sides are lowered by the server, because Python and the
    database's collation differ on what the lower case of some letters is.
    """


@CaseInsensitiveEmailField.register_lookup
class LowerExact(models.Lookup):
    """`iexact` by LOWER."""

    lookup_name = "iexact"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:  # type: ignore[override]
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"LOWER({left}) = LOWER({right})", [*left_params, *right_params]
