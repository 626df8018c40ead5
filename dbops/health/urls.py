"""The addresses below /ht/: `path("ht/", include("dbops.health.urls"))`."""

from __future__ import annotations

from django.urls import path

from dbops.health.views import DetailView, HealthView, LiveView, style

app_name = "dbops_health"
urlpatterns = [
    path("", HealthView.as_view(), name="ready"),
    path("live/", LiveView.as_view(), name="live"),
    path("detail/", DetailView.as_view(), name="detail"),
    path("style.css", style, name="style"),
]
