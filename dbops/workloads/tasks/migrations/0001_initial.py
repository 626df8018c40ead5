"""Tasks; the cascade from their users and the time of their last change are the database's work."""

from typing import ClassVar

from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

from dbops.workloads.operations import KeepUpdatedAt, SetDatabaseOnDelete


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Task",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="tasks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("title", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("is_complete", models.BooleanField(db_default=False, default=False, verbose_name="complete")),
                ("due_date", models.DateField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "is_complete", "due_date"], name="dbops_task_user_due_idx"),
                ],
            },
        ),
        SetDatabaseOnDelete("Task", "user", "CASCADE"),
        KeepUpdatedAt("Task"),
    ]
