"""The app, under a label that a project's own `accounts` does not clash with."""

from django.apps import AppConfig
from django.core import checks

from .limits import check_limits


class AccountsConfig(AppConfig):
    name = "dbops.workloads.accounts"
    label = "dbops_accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(check_limits)
