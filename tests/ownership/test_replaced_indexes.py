"""An index that gives way to one without NULLs: the operation changes the database as meant, and the models agree."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from django.db import models

from dbops.findings.changes import CreateIndex, DropIndex, ReplaceIndex
from tests.builders import an_index
from tests.ownership.generated_project import GeneratedProject
from tests.ownership.test_operations import TABLE, USER_INDEX, operation_for

MODELS = """
class User(models.Model):
    pass

class Task(models.Model):
    user = models.ForeignKey(User, models.CASCADE, null=True)
    kind = models.IntegerField(null=True, db_index=True)
    due = models.DateField(null=True)
    ranking = models.IntegerField(null=True)
    class Meta:
        indexes = [models.Index(fields=["due"], name="task_due_idx")]
"""
MIGRATION = """
from django.db import migrations, models
{imports}

class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
{operations}
    ]
"""


def replaced(index: Any, column: str) -> ReplaceIndex:
    definition = f"CREATE INDEX {index.name} ON public.{TABLE} USING btree ({column})"
    create = CreateIndex(
        schema="public",
        table=TABLE,
        columns=(column,),
        name="task_set_idx",
        tail=f"USING btree ({column}) WHERE ({column} IS NOT NULL)",
    )
    return ReplaceIndex(create=create, drop=DropIndex(schema="public", name=index.name, definition=definition))


def operation(index: Any, column: str = "kind", **options: Any) -> str | None:
    return operation_for(replaced(index, column), index, **options)


def test_a_foreign_keys_own_index_gives_way_to_one_in_the_models_meta() -> None:
    text = operation(an_index(100, USER_INDEX, (2,)), "user_id")
    new = 'models.Index(fields=["user"], name="task_set_idx", condition=models.Q(user__isnull=False))'
    assert text is not None
    assert f"# in Task.Meta.indexes: {new}" in text.splitlines()
    assert "# in Task.user: db_index=False" in text.splitlines()
    assert "migrations.AddIndex(" in text
    assert 'migrations.AlterField(\n            "Task",\n            "user",' in text
    create = "CREATE INDEX CONCURRENTLY IF NOT EXISTS task_set_idx ON ownership_task USING btree (user_id) WHERE ("
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {USER_INDEX};"
    assert 0 < text.index(create) < text.index(drop)


def test_one_of_the_models_meta_gives_way_to_another() -> None:
    meta = {"indexes": [models.Index(fields=["kind"], name="kind_idx")]}
    text = operation(an_index(100, "kind_idx", (3,)), meta=meta)
    assert text is not None
    assert '# no longer there: "kind_idx"' in text.splitlines()
    assert 'migrations.RemoveIndex("Task", "kind_idx")' in text
    for said in (
        models.Index(fields=["-kind"], name="kind_idx"),
        models.Index(fields=["kind"], name="kind_idx", opclasses=["int4_ops"]),
        models.Index(fields=["kind"], name="kind_idx", include=["code"]),
    ):
        assert operation(an_index(100, "kind_idx", (3,)), meta={"indexes": [said]}) is None


def test_one_that_no_model_knows_is_replaced_by_sql() -> None:
    text = operation(an_index(100, "by_hand", (3,)))
    assert text is not None
    assert text.startswith("migrations.RunSQL(")


def test_what_the_models_have_no_place_for_has_no_operation() -> None:
    like = an_index(101, f"{TABLE}_kind_1a2b3c4d_like", (3,))
    assert operation_for(replaced(an_index(100, f"{TABLE}_kind_1a2b3c4d", (3,)), "kind"), like) is None
    assert operation(an_index(100, f"{TABLE}_extra_1a2b3c4d", (9,)), "extra") is None
    assert operation(an_index(100, "by_hand", (3,), is_valid=False)) is None


@pytest.fixture
def project(module_dsn: str, tmp_path: Any) -> GeneratedProject:
    project = GeneratedProject(tmp_path, module_dsn)
    project.settings("shop")
    project.app("shop", MODELS)
    project.manage("makemigrations", "-n", "initial", "shop")
    project.manage("migrate")
    return project


def indexes(dsn: str) -> dict[str, str]:
    with psycopg.connect(dsn) as connection:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'shop_task'"
        return dict(connection.execute(query).fetchall())


def test_operations_do_as_they_say_and_go_back(project: GeneratedProject) -> None:
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute("CREATE INDEX by_hand ON shop_task (ranking)")
    before = indexes(project.dsn)
    names = [name for name in before if not name.endswith("_pkey")]
    fixes = project.ask("fixes", [{"class": "ReplaceIndex", "at": "shop_task", "name": name} for name in names])
    operations = [fix["operation"] for fix in fixes]
    assert len(operations) == 4
    assert None not in operations
    imports = {line for text in operations for line in re.findall(r"^# ((?:from \S+ )?import .*)$", text, re.MULTILINE)}
    migration = MIGRATION.format(imports="\n".join(sorted(imports)), operations=",\n".join(operations))
    (project.root / "shop/migrations/0002_replaced.py").write_text(migration)
    path = project.root / "shop/models.py"
    new = re.findall(r"^# in Task\.Meta\.indexes: (.*)$", "\n".join(operations), re.MULTILINE)
    text = path.read_text().replace("CASCADE, null=True)", "CASCADE, null=True, db_index=False)")
    text = text.replace("db_index=True", "db_index=False")
    path.write_text(text.replace('models.Index(fields=["due"], name="task_due_idx")', ", ".join(new)))
    project.manage("migrate")
    project.manage("makemigrations", "--check", "--dry-run")
    after = indexes(project.dsn)
    assert not after.keys() & set(names)
    assert len(after) == len(before)
    assert all("IS NOT NULL" in text for name, text in after.items() if not name.endswith("_pkey"))
    project.manage("migrate", "shop", "0001")
    assert indexes(project.dsn) == before
