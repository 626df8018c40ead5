"""A project of its own, on the driver that is named, that does what it is told: the first argument is Python.

`python -m tests.slow_queries.project CODE psycopg2 DATABASE HOST PORT`; the DBOPS setting is JSON in the environment.
"""

from __future__ import annotations

import json
import os
import sys

import django
from django.conf import settings


def main(code: str, driver: str, name: str, host: str, port: str) -> None:
    if driver == "psycopg2":
        sys.modules["psycopg"] = None  # type: ignore[assignment]  # so that `import psycopg` fails
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": name,
                "HOST": host,
                "PORT": port,
                "USER": "postgres",
            }
        },
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.contenttypes", "dbops"],
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="tests.slow_queries.views",
        DBOPS=json.loads(os.environ.get("DBOPS", "{}")),
        LOGGING={
            "version": 1,
            "formatters": {"text": {"format": "%(levelname)s %(name)s: %(message)s"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "text"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
        },
    )
    django.setup()
    exec(code, {"__name__": "__main__"})  # noqa: S102  what the test says


if __name__ == "__main__":
    main(*sys.argv[1:])
