"""Counters, the texts of statements, and the life of findings."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dbops", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="first_seen_at",
            field=models.DateTimeField(null=True, verbose_name="first seen"),
        ),
        migrations.CreateModel(
            name="Episode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.TextField(verbose_name="database")),
                ("fingerprint", models.TextField()),
                ("check_name", models.TextField(verbose_name="check")),
                ("kind", models.TextField()),
                ("target", models.TextField()),
                (
                    "severity",
                    models.TextField(choices=[("critical", "critical"), ("warning", "warning"), ("info", "info")]),
                ),
                ("first_seen_at", models.DateTimeField()),
                ("began_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["alias", "ended_at"], name="dbops_episode_ended_at")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("alias", "fingerprint"),
                        name="dbops_episode_one_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.TextField(verbose_name="database")),
                ("query_id", models.BigIntegerField()),
                ("text", models.TextField()),
                ("is_own", models.BooleanField(default=False)),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("alias", "query_id"), name="dbops_statement_query_id")],
            },
        ),
        migrations.CreateModel(
            name="Counters",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.TextField(verbose_name="database")),
                ("taken_at", models.DateTimeField()),
                ("tier", models.TextField(choices=[("day", "day"), ("hour", "hour"), ("minute", "minute")])),
                ("epoch", models.JSONField(null=True)),
                ("statement_epoch", models.JSONField(null=True)),
                ("data", models.BinaryField()),
                (
                    "base",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="dbops.counters"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "counters",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("alias", "taken_at"), name="dbops_counters_moment")],
            },
        ),
    ]
