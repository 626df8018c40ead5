"""The last look at each database, and what it found."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Look",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.TextField(verbose_name="database")),
                (
                    "status",
                    models.TextField(
                        choices=[("running", "running"), ("done", "done"), ("failed", "failed")], default="running"
                    ),
                ),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True, default="")),
                ("report", models.JSONField(null=True)),
            ],
            options={
                "verbose_name_plural": "overview",
                "permissions": [("start_look", "Can have a database looked at")],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "running")), fields=("alias",), name="dbops_look_one_running"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("is_folded", models.BooleanField()),
                ("is_red", models.BooleanField()),
                ("check_name", models.TextField(verbose_name="check")),
                (
                    "severity",
                    models.TextField(choices=[("critical", "critical"), ("warning", "warning"), ("info", "info")]),
                ),
                ("confidence", models.TextField()),
                ("basis", models.TextField()),
                (
                    "ownership",
                    models.TextField(
                        choices=[
                            ("mine", "mine"),
                            ("contrib", "contrib"),
                            ("third_party", "third party"),
                            ("unmanaged", "unmanaged"),
                            ("server", "server"),
                        ]
                    ),
                ),
                ("app_label", models.TextField(blank=True, default="", verbose_name="app")),
                ("model", models.TextField(blank=True, default="")),
                ("field", models.TextField(blank=True, default="")),
                ("migration", models.TextField(blank=True, default="")),
                ("kind", models.TextField()),
                ("target", models.TextField()),
                ("message", models.TextField()),
                ("notes", models.JSONField(default=list)),
                ("evidence", models.JSONField(default=dict)),
                ("rolled_up", models.JSONField(default=list)),
                ("fix", models.JSONField(null=True)),
                ("fingerprint", models.TextField()),
                (
                    "look",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="dbops.look",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [models.UniqueConstraint(fields=("look", "position"), name="dbops_finding_position")],
            },
        ),
    ]
