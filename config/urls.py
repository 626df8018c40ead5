"""Addresses of the project."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.views import icon, log_in_to_admin

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="tasks:list")),
    path("favicon.ico", icon),
    path("account/", include("dbops.workloads.accounts.urls")),
    path("tasks/", include("dbops.workloads.tasks.urls")),
    # One way in, and one way to change a password, for everybody: theirs are the ones with limits.
    path("admin/login/", log_in_to_admin),
    path("admin/password_change/", RedirectView.as_view(pattern_name="accounts:change_password")),
    path("admin/", admin.site.urls),
    path("ht/", include("dbops.health.urls")),
]
