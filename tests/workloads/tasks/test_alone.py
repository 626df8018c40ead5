"""The tasks in a project that has neither accounts nor anything else of this one: with Django's own users."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from tests.servers import Database

PROJECT = """
import sys
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "dbops.workloads.tasks"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **eval(sys.argv[1])}},
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from dbops.workloads.registry import SeedRequest, installed_workloads
from dbops.workloads.tasks.models import Task

call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
for number in range(1, 11):
    User.objects.create(username=number, email=f"{number}@{'real.test' if number > 8 else 'example.com'}")
workloads = installed_workloads()
workloads["dbops_tasks"].seed(SeedRequest(scale=0.001))
print(*workloads)
print(Task.objects.filter(user__email__endswith="@example.com").exists())
print(Task.objects.filter(user__email__endswith="@real.test").exists())
User.objects.all().delete()
print(Task.objects.exists())
print([name for name in sys.modules if name.startswith("dbops.workloads.accounts")])
"""


def test_tasks_work_with_any_user_model_and_fill_no_real_persons_list(database: Database) -> None:
    dsn = conninfo_to_dict(database.dsn)
    connection = {"NAME": dsn["dbname"], "USER": dsn["user"], "HOST": dsn["host"], "PORT": dsn.get("port", "")}

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROJECT, repr(connection)], capture_output=True, text=True, check=False
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["dbops_tasks", "True", "False", "False", "[]"]
