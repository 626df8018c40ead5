"""Slow executions of statements, and the processes that logged them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dbops", "0002_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="SlowQueries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.TextField(verbose_name="database")),
                ("began_at", models.DateTimeField()),
                ("seconds", models.PositiveIntegerField()),
                ("data", models.BinaryField()),
            ],
            options={
                "verbose_name_plural": "slow queries",
                "default_permissions": (),
                "indexes": [models.Index(fields=["alias", "began_at"], name="dbops_slowqueries_began_at")],
            },
        ),
        migrations.CreateModel(
            name="SlowQueryProcess",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("process", models.UUIDField()),
                ("alias", models.TextField(verbose_name="database")),
                ("threshold_ms", models.FloatField()),
                ("began_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("has_ended", models.BooleanField(default=False)),
                ("dropped", models.PositiveIntegerField(default=0)),
                ("dropped_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "slow query processes",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("process", "alias"), name="dbops_slowqueryprocess_once")
                ],
            },
        ),
    ]
