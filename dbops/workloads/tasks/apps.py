"""The app, under a label that a project's own `tasks` does not clash with."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "dbops.workloads.tasks"
    label = "dbops_tasks"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"
