"""What the database deletes along, shown and authorised in the admin as Django does for what it deletes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import connections, models, router

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.http import HttpRequest

    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin

CASCADES_SQL = """
SELECT conname
FROM pg_constraint
WHERE contype = 'f' AND confdeltype = 'c' AND conrelid = %s::regclass AND confrelid = %s::regclass
    AND conkey = ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = %s)]
"""


class DatabaseCascadeAdmin(Admin):
    """Counts, on the page that asks whether to delete, the rows that a foreign key's ON DELETE CASCADE takes along.

    Django's page knows what the ORM collects; a relation with `on_delete=DO_NOTHING` is not collected. Whether the
    database cascades is asked of its catalogue, not assumed. Rows are counted, not listed, and one level deep. Who
    may not delete the counted rows is refused, as with rows that the ORM collects.
    """

    def get_deleted_objects(
        self, objs: Sequence[models.Model] | models.QuerySet[models.Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        to_delete, model_count, perms_needed, protected = super().get_deleted_objects(objs, request)
        for relation in self._database_cascades():
            related = relation.related_model
            using = router.db_for_write(self.model)
            rows = related._base_manager.using(using).filter(**{f"{relation.field.name}__in": objs}).count()
            if not rows:
                continue
            name = str(related._meta.verbose_name_plural)
            model_count[name] = model_count.get(name, 0) + rows
            if self.admin_site.is_registered(related):
                related_admin = self.admin_site.get_model_admin(related)
                if not related_admin.has_delete_permission(request):
                    perms_needed.add(str(related._meta.verbose_name))
        return to_delete, model_count, perms_needed, protected

    def _database_cascades(self) -> Iterator[models.ManyToOneRel]:
        connection = connections[router.db_for_write(self.model)]
        quote = connection.ops.quote_name
        for relation in self.opts.related_objects:
            if isinstance(relation, models.ManyToOneRel) and relation.on_delete is models.DO_NOTHING:
                tables = (relation.related_model._meta.db_table, self.opts.db_table)
                with connection.cursor() as cursor:
                    cursor.execute(CASCADES_SQL, [*map(quote, tables), relation.field.column])
                    if cursor.fetchone():
                        yield relation
