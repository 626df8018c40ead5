"""The app, under a label that a project's own `accounts` does not clash with."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "dbops.workloads.accounts"
    label = "dbops_accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"
