"""The installable app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from dbops.system_checks import check_setting


class DbopsConfig(AppConfig):
    name = "dbops"
    verbose_name = "Database"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(check_setting, "dbops")
        from dbops.slow_queries.watching import watch  # noqa: PLC0415  it has models, which are ready only now

        watch()
