"""Health at /ht/ by django-health-check: `path("ht/", include("dbops.health.urls"))`."""

from __future__ import annotations

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

if find_spec("health_check") is None:
    message = 'dbops.health needs django-health-check 4.8\nHINT: pip install "dbops[health]"'
    raise ImproperlyConfigured(message)
