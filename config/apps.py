"""The project as an app: it brings its own commands."""

from django.apps import AppConfig
from django.conf import settings

from config.logs import log_statements


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Project"

    def ready(self) -> None:
        if settings.LOG_STATEMENTS:
            log_statements()
