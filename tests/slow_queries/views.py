"""A site whose one page waits in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.http import HttpResponse
from django.urls import path

if TYPE_CHECKING:
    from django.http import HttpRequest


def wait(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s), 'hunter2', %s", [float(request.GET["seconds"]), request.GET["secret"]])
    return HttpResponse("done")


urlpatterns = [path("wait/", wait)]
