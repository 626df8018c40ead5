"""Operations pasted into migrations of a real project: they change the database as meant, and the models agree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.ownership.generated_project import GeneratedProject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

MODELS = """
from django.conf import settings

class Task(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    kind = models.CharField(max_length=9)
    title = models.CharField(max_length=9)
    likers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    class Meta:
        indexes = [
            models.Index(fields=["kind"], name="task_kind_idx"),
            models.Index(fields=["kind", "title"], name="task_kind_title_idx"),
        ]
        constraints = [models.CheckConstraint(condition=~models.Q(kind=""), name="task_has_kind")]

class Vote(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name="voter")
    task = models.ForeignKey(Task, models.CASCADE, db_column="about")
    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "task"], name="one_vote")]

class Seat(models.Model):
    row = models.IntegerField()
    number = models.IntegerField()
    code = models.IntegerField()
    class Meta:
        unique_together = [("row", "number"), ("row", "code")]
        constraints = [
            models.UniqueConstraint(fields=["row", "number"], name="one_seat"),
            models.UniqueConstraint(fields=["row", "code"], name="one_code"),
        ]

class Counter(models.Model):
    id = models.AutoField(primary_key=True)
    total = models.PositiveIntegerField()

class Count(models.Model):
    counter = models.ForeignKey(Counter, models.CASCADE)

class Event(models.Model):
    pk = models.CompositePrimaryKey("id", "at")
    id = models.IntegerField()
    at = models.DateField()
    task = models.ForeignKey(Task, models.CASCADE, db_index=False, db_constraint=False)
"""
EVENT_INDEX = 'indexes = [models.Index(fields=["task"], name="event_task_idx")]\n'
#: What the models have to say after each operation, as (before, after).
MODEL_CHANGES = (
    (
        '    indexes = [\n            models.Index(fields=["kind"], name="task_kind_idx"),',
        '    indexes = [\n            models.Index(fields=["user"], name="task_user_idx"),',
    ),
    ('verbose_name="voter"', 'verbose_name="voter", db_index=False'),
    ('("row", "number"), ', ""),
    ('            models.UniqueConstraint(fields=["row", "code"], name="one_code"),\n', ""),
    ("models.AutoField(primary", "models.BigAutoField(primary"),
    ("total = models.PositiveIntegerField", "total = models.PositiveBigIntegerField"),
    (
        "db_index=False, db_constraint=False)\n",
        "db_index=False, db_constraint=False)\n    class Meta:\n        " + EVENT_INDEX,
    ),
)
NOT_VALID = """
    from django.contrib.postgres.operations import AddConstraintNotValid
    from django.db import migrations, models

    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [
            AddConstraintNotValid(
                "Task", models.CheckConstraint(condition=models.Q(id__gt=0), name="task_id_positive")
            ),
        ]
"""
FAULTS = """
    CREATE INDEX task_by_hand ON shop_task (title) WHERE title <> '%s';
    DROP INDEX {counter_index};
    ALTER TABLE shop_vote ADD CONSTRAINT by_hand_fk FOREIGN KEY (about) REFERENCES shop_task (id);
    ALTER TABLE shop_vote ALTER COLUMN about TYPE integer;
    ALTER TABLE shop_seat SET UNLOGGED;
    DROP TABLE shop_event;
    CREATE TABLE shop_event (id integer, at date, task_id bigint NOT NULL, PRIMARY KEY (id, at))
        PARTITION BY RANGE (at);
    CREATE TABLE event_2025 PARTITION OF shop_event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE event_2026 PARTITION OF shop_event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""
MIGRATION = """from django.db import migrations, models
{imports}

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("shop", "{before}")]
    operations = [
{operation}
    ]
"""


@pytest.fixture
def database(module_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(module_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def project(server: Server, module_dsn: str, tmp_path: Any) -> GeneratedProject:
    project = GeneratedProject(tmp_path, module_dsn)
    project.settings("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.postgres", "shop")
    project.app("shop", MODELS)
    project.manage("makemigrations", "-n", "initial", "shop")
    project.write("shop/migrations/0002_not_valid.py", NOT_VALID)
    project.write(
        "shop/models.py",
        (project.root / "shop/models.py")
        .read_text()
        .replace(
            'name="task_has_kind")',
            'name="task_has_kind"), models.CheckConstraint(condition=models.Q(id__gt=0), name="task_id_positive")',
        ),
    )
    project.manage("migrate")
    return project


def shape(database: psycopg.Connection) -> dict[str, str]:
    """Everything that the operations are to change, by name.

    Django gives the foreign keys to a key that it altered another name, which is no difference here.
    """
    rows = database.execute(
        """
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename ~ '^(shop|event)_'
        UNION ALL
        SELECT conname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
         WHERE relname ~ '^shop_' AND contype IN ('f', 'u', 'c')
        UNION ALL
        SELECT attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod) FROM pg_attribute
         WHERE attrelid IN (SELECT oid FROM pg_class WHERE relname ~ '^shop_' AND relkind = 'r') AND attnum > 0
        UNION ALL
        SELECT relname, relpersistence::text FROM pg_class WHERE relname = 'shop_seat'
        """
    ).fetchall()
    return {re.sub("_fk_shop_counter_id$", "_fk", name): definition for name, definition in rows}


def name_of(shape: dict[str, str], pattern: str) -> str:
    """The one name that matches a pattern."""
    (name,) = (name for name in shape if re.fullmatch(pattern, name))
    return name


def wanted_changes(before: dict[str, str]) -> list[dict[str, Any]]:
    types = {"old_type": "integer", "new_type": "bigint"}
    return [
        {"class": "CreateIndex", "at": "shop_task", "columns": ["user_id"], "name": "task_user_idx"},
        {"class": "CreateIndex", "at": "shop_count", "columns": ["counter_id"], "name": "count_counter_id_idx"},
        {
            "class": "CreateIndex",
            "at": "shop_event",
            "columns": ["task_id"],
            "name": "event_task_idx",
            "is_partitioned": True,
        },
        {"class": "DropIndex", "at": "shop_task", "name": "task_kind_idx"},
        {"class": "DropIndex", "at": "shop_task", "name": "task_by_hand"},
        {"class": "DropIndex", "at": "shop_vote", "name": name_of(before, r"shop_vote_user_id_[0-9a-f]{8}")},
        {"class": "ValidateConstraint", "at": "shop_task", "name": "task_id_positive"},
        {"class": "DropConstraint", "at": "shop_vote", "name": "by_hand_fk"},
        {"class": "DropConstraint", "at": "shop_seat", "name": "one_code"},
        {"class": "DropConstraint", "at": "shop_seat", "name": name_of(before, "shop_seat_row_number_.*_uniq")},
        {"class": "ChangeTypes", "at": "shop_vote", "columns": [{"table": "shop_vote", "column": "about", **types}]},
        {
            "class": "ChangeTypes",
            "at": "shop_counter",
            "columns": [
                {"table": "shop_counter", "column": "id", **types},
                {"table": "shop_count", "column": "counter_id", **types},
            ],
        },
        {
            "class": "ChangeTypes",
            "at": "shop_counter",
            "columns": [{"table": "shop_counter", "column": "total", **types}],
        },
        {
            "class": "Statements",
            "at": "shop_seat",
            "sql": ["ALTER TABLE public.shop_seat SET LOGGED;"],
            "undo": ["ALTER TABLE public.shop_seat SET UNLOGGED;"],
        },
    ]


def paste(project: GeneratedProject, fixes: list[dict[str, Any]]) -> None:
    """Write one migration for each operation, with the imports its own comments name and nothing else."""
    before = "0002_not_valid"
    for number, fix in enumerate(fixes, start=3):
        name = f"{number:04}_pasted"
        comments = re.findall(r"^# (.*)$", fix["operation"], re.MULTILINE)
        text = MIGRATION.format(
            imports="\n".join(line for line in comments if re.match(r"(from \S+ )?import ", line)),
            atomic=fix["in_transaction"],
            before=before,
            operation=fix["operation"],
        )
        (project.root / f"shop/migrations/{name}.py").write_text(text)
        before = name


def change_models(project: GeneratedProject) -> None:
    path = project.root / "shop/models.py"
    text = path.read_text()
    for old, new in MODEL_CHANGES:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def test_operations_do_as_they_say_go_back_and_run_on_a_new_database(
    database: psycopg.Connection, project: GeneratedProject
) -> None:
    as_migrated = shape(database)
    counter_index = name_of(as_migrated, r"shop_count_counter_id_[0-9a-f]{8}")
    database.execute(FAULTS.format(counter_index=counter_index))
    before = shape(database)
    fixes = project.ask("fixes", wanted_changes(before))
    assert [fix["operation"] is not None for fix in fixes] == [True] * len(fixes)
    (partitioned,) = (fix for fix in fixes if "event_task_idx" in fix["operation"])
    for statement in partitioned["sql"]:
        database.execute(statement)
    paste(project, fixes)
    change_models(project)

    project.manage("migrate")
    project.manage("makemigrations", "--check", "--dry-run")
    after = shape(database)
    gone = before.keys() - after.keys()
    voter_index, seats = (
        name_of(before, r"shop_vote_user_id_[0-9a-f]{8}"),
        name_of(before, "shop_seat_row_number_.*_uniq"),
    )
    assert gone == {"task_kind_idx", "task_by_hand", voter_index, "by_hand_fk", "one_code", seats}
    assert after.keys() - before.keys() == {
        "task_user_idx",
        counter_index,
        "event_task_idx",
        "event_2025_idx",
        "event_2026_idx",
    }
    assert before["task_id_positive"] == after["task_id_positive"] + " NOT VALID"
    changed = {name: after[name] for name in before.keys() & after.keys() if after[name] != before[name]}
    assert changed.pop("task_id_positive") == "CHECK ((id > 0))"
    assert changed == {
        "shop_vote.about": "bigint",
        "shop_counter.id": "bigint",
        "shop_counter.total": "bigint",
        "shop_count.counter_id": "bigint",
        "shop_seat": "p",
    }

    project.manage("migrate", "shop", "0002")
    back = shape(database)
    lasting = {
        "shop_vote.about": "bigint",
        counter_index: as_migrated[counter_index],
        "task_id_positive": "CHECK ((id > 0))",
    }
    assert back == {**before, **lasting}

    project.manage("migrate", "shop", "zero")
    project.manage("migrate")
    project.manage("makemigrations", "--check", "--dry-run")
    new = shape(database)
    parts = {"event_2025_idx", "event_2026_idx", "event_2025_pkey", "event_2026_pkey"}
    assert new.keys() - after.keys() == {"shop_event.id", "shop_event.at", "shop_event.task_id"}
    assert after.keys() - new.keys() == parts
