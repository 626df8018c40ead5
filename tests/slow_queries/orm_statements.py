"""A project of its own, on the driver that is named: runs statements of every kind, and prints as Django has them.

`python -m tests.slow_queries.orm_statements psycopg2 DATABASE HOST PORT`
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import django
from django.conf import settings
from django.core.management import call_command

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def main(driver: str, name: str, host: str, port: str) -> None:
    if driver == "psycopg2":
        sys.modules["psycopg"] = None  # type: ignore[assignment]  # so that `import psycopg` fails
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "HOST": host, "PORT": port, "USER": "postgres"}
    settings.configure(
        DATABASES={"default": database},
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.postgres",
            "dbops.workloads.accounts",
            "dbops.workloads.tasks",
        ],
        AUTH_USER_MODEL="dbops_accounts.User",
        SECRET_KEY="for this process alone",
    )
    django.setup()
    call_command("migrate", verbosity=0)
    from django.db import connection

    sent: list[str] = []

    def listen(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        result = execute(sql, parameters, many, context)
        sent.append(sql)
        return result

    odd = _odd_model()
    with connection.schema_editor() as editor:
        editor.create_model(odd)
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    with connection.execute_wrapper(listen):
        _of_the_workloads()
        _of_odd_values(odd)
        _raw()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query, calls FROM pg_stat_statements WHERE dbid = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        kept = cursor.fetchall()
        driver = type(cursor.connection).__module__.partition(".")[0]
    json.dump({"driver": driver, "sent": sent, "kept": kept}, sys.stdout)


def _odd_model() -> Any:
    from django.contrib.postgres.fields import ArrayField
    from django.db import models

    class Odd(models.Model):
        number = models.IntegerField(null=True)
        big = models.BigIntegerField(default=0)
        amount = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
        ratio = models.FloatField(default=0.0)
        name = models.CharField(max_length=50, default="")
        is_on = models.BooleanField(default=False)
        day = models.DateField(null=True)
        moment = models.DateTimeField(null=True)
        lasts = models.DurationField(null=True)
        key = models.UUIDField(null=True)
        data = models.JSONField(null=True)
        raw = models.BinaryField(null=True)
        numbers: Any = ArrayField(models.IntegerField(), default=list)
        words: Any = ArrayField(models.TextField(), default=list)

        class Meta:
            app_label = "dbops_tasks"

        def __str__(self) -> str:
            return self.name

    return Odd


def _of_the_workloads() -> None:
    from django.db import models, transaction
    from django.db.models.functions import TruncMonth

    from dbops.workloads.accounts.models import User
    from dbops.workloads.tasks.models import Task

    users = [User.objects.create(email=f"u{number}@example.com", full_name="U") for number in range(3)]
    tasks = [Task(user=users[number % 3], title=f"t{number}") for number in range(12)]
    Task.objects.bulk_create(tasks[:1])
    Task.objects.bulk_create(tasks[1:4])
    Task.objects.bulk_create(tasks[4:])
    Task.objects.bulk_create([Task(id=1, user=users[0], title="x")], ignore_conflicts=True)
    mine = Task.objects.filter(user=users[0])
    list(mine.order_by("-id")[:21])
    list(mine.order_by("-id")[5:9])
    list(mine.filter(is_complete=False, due_date__isnull=True))
    list(mine.filter(due_date__gte=date(2026, 1, 1), due_date__lt=date(2026, 2, 1)))
    list(Task.objects.filter(id__in=[1]))
    list(Task.objects.filter(id__in=[1, 2, 3]))
    list(Task.objects.filter(title__icontains="50%_'"))
    list(Task.objects.select_related("user").filter(user__email__iexact="U1@example.com"))
    list(User.objects.annotate(many=models.Count("tasks")).filter(many__gt=-1).order_by("-many")[:3])
    list(Task.objects.annotate(month=TruncMonth("created_at")).values("month").annotate(n=models.Count("id")))
    list(User.objects.filter(models.Exists(Task.objects.filter(user=models.OuterRef("pk"), is_complete=False))))
    mine.exists()
    mine.count()
    mine.first()
    mine.aggregate(models.Max("due_date"))
    mine.update(is_complete=True, due_date=None)
    mine.update(due_date=date(2026, 5, 5))
    Task.objects.get_or_create(user=users[1], title="once")
    task = tasks[3]
    task.title = "changed"
    task.save()
    task.save(update_fields=["description"])
    Task.objects.bulk_update(tasks[:3], ["title"])
    with transaction.atomic():
        list(Task.objects.select_for_update().filter(pk=2))
        with transaction.atomic():
            Task.objects.filter(pk=-3).delete()
    Task.objects.filter(pk__in=[5, 6]).delete()


def _of_odd_values(odd: Any) -> None:
    from django.db.models import Case, Count, F, Q, Value, When
    from django.db.models.fields import DurationField, IntegerField, TextField
    from django.db.models.functions import Cast, Coalesce, Concat, Extract, Length, Now, Substr, TruncDay

    key = UUID("12345678-1234-5678-1234-567812345678")
    values: dict[str, Any] = {
        "number": -5,
        "big": -(2**40),
        "amount": Decimal("-12.50"),
        "ratio": -1.5e-7,
        "name": "O'Neil \\ %s $1 -- /* x */",
        "is_on": True,
        "day": NOW.date(),
        "moment": NOW,
        "lasts": timedelta(days=-1, seconds=3),
        "key": key,
        "data": {"a": [1, "it's"], "b": None},
        "raw": b"\x00\\'",
        "numbers": [1, -2],
        "words": ["a", "b'c"],
    }
    made = [odd.objects.create(**values), odd.objects.create()]
    odd.objects.bulk_create([odd(**values), odd()])
    odd.objects.bulk_create([odd(**values) for _ in range(5)])
    for name, value in values.items():
        if name != "data":
            list(odd.objects.filter(**{name: value}).values_list("pk"))
            odd.objects.filter(pk=made[0].pk).update(**{name: value})
    for value in (NOW, None):
        odd.objects.filter(pk=-1).update(moment=value)
    list(odd.objects.filter(number__in=[-1, 2, 3], words__overlap=["a", "b"], numbers__contains=[1]))
    list(odd.objects.filter(number__range=(-5, 5), numbers__len=2, data__a__0=1, data__has_key="b"))
    list(odd.objects.filter(data__contains={"b": None}).values("data__a"))
    list(odd.objects.filter(Q(is_on=True) | ~Q(is_on=False), number=F("number") - 1 + F("big") % 7))
    list(odd.objects.filter(moment__year=2026, moment__month=3, day__week_day=2, moment__date=NOW.date()))
    list(odd.objects.filter(moment__lt=Now() - timedelta(days=1), lasts__gt=timedelta(hours=-2)))
    case = Case(When(number__lt=0, then=Value("less")), When(number=None, then=Value(None)), default=Value("more"))
    list(odd.objects.annotate(kind=case).values("kind").annotate(n=Count("pk")).order_by("kind"))
    list(
        odd.objects.annotate(a=Value(-1), b=Value(None, TextField()), c=Value(True), d=Value("x")).values("a", "b", "c")
    )
    list(odd.objects.annotate(a=Cast("name", IntegerField())).filter(name="").values("pk", "name")[:2])
    list(
        odd.objects.annotate(a=Cast(Value("5"), IntegerField()), b=Value(timedelta(1), DurationField())).values(
            "a", "b"
        )
    )
    list(odd.objects.annotate(a=Concat("name", Value("-"), "name"), b=Coalesce("number", -1)).values("a", "b"))
    list(
        odd.objects.annotate(a=Substr("name", 1, 3), b=Length("name"), c=Extract("moment", "dow")).values("a", "b", "c")
    )
    list(odd.objects.annotate(a=TruncDay("moment")).values("a").distinct().order_by("-a")[1:4])
    odd.objects.filter(pk=-1).update(number=F("number") * -2 - 3, name=Concat("name", Value("x")))
    odd.objects.bulk_update(made, ["number", "day", "data", "words"])
    odd.objects.bulk_create(
        [odd(id=made[0].pk, number=1)], update_conflicts=True, update_fields=["number"], unique_fields=["id"]
    )
    list(odd.objects.values_list("pk").union(odd.objects.values_list("number").filter(number__gt=3)))


def _raw() -> None:
    from django.db import connection

    statements: tuple[tuple[str, list[Any] | dict[str, Any] | None], ...] = (
        ("SELECT 1 -- one", None),
        ("select  'it''s', -7, NULL, true, 1.5e3, $$x$$", None),
        ("SELECT %s::int, %s::text, %s", [-1, "a", None]),
        ("SELECT n FROM generate_series(1, %s) AS n WHERE n %% 2 = 0 AND n IN (1, 2, -3)", [9]),
        ("SELECT %(a)s::int + %(b)s::int", {"a": 1, "b": -2}),
        ("SELECT now() - INTERVAL '1 day' - %s, DATE '2026-01-01'", [timedelta(days=2)]),
        ("SELECT extract(year FROM now()), extract(epoch FROM %s::timestamptz)", [NOW]),
        ("SELECT x.a FROM (VALUES (1, 'a'), (2, 'b')) AS x (a, b) WHERE x.b LIKE 'a%%' AND x.a = ANY(%s)", [[1, 2]]),
        ("SELECT 5 - 3, 5 -3, 5 - -3, (-3)::int, '5'::numeric(10, 2)", None),
        ("WITH w AS (SELECT %s AS a) SELECT a FROM w WHERE a IS NOT NULL AND (a IS TRUE OR a = false)", [True]),
        (
            "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM generate_series(1, 3) n",
            None,
        ),
        ("SELECT '{\"a\": 1}'::jsonb -> 'a', '{\"a\": 1}'::jsonb #- '{a}', ARRAY[1, 2], ARRAY['x', %s]", ["y"]),
    )
    with connection.cursor() as cursor:
        for sql, parameters in statements:
            cursor.execute(sql, parameters)
        cursor.executemany("SELECT %s::int * 2", [[1], [-2]])


if __name__ == "__main__":
    main(*sys.argv[1:])
