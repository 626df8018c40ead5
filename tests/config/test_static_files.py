"""The files beside the pages, as production serves them: under names that change with their content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.config.conftest import PRODUCTION, RunPython

if TYPE_CHECKING:
    from pathlib import Path

SHOW = """
import django
django.setup()
from django.template.loader import render_to_string
from django.test import RequestFactory
request = RequestFactory().get("/", HTTP_HOST="example.com")
print(render_to_string("tasks/delete.html", request=request))
print(render_to_string("404.html"), render_to_string("500.html"))
"""
GET = """
import sys
import django
django.setup()
from django.test import Client
response = Client().get(sys.argv[1], secure=True, headers={"host": "example.com"})
print(response.status_code, response["Content-Security-Policy"], response["X-Content-Type-Options"])
"""


def test_collected_files_have_their_hash_and_the_pages_name_them(run_python: RunPython) -> None:
    collected = run_python("manage.py", "collectstatic", "--no-input", **PRODUCTION)
    assert collected.returncode == 0, collected.stderr
    pages = run_python("-c", SHOW, DJANGO_SETTINGS_MODULE="config.settings", **PRODUCTION)
    assert pages.returncode == 0, pages.stderr
    named = set(re.findall(r'"/static/([^"]+)"', pages.stdout))
    assert {re.sub(r"\.[0-9a-f]{12}\.", ".", name) for name in named} == {"site/site.css", "site/icon.svg"}
    directory: Path = run_python.project / "staticfiles"
    for name in named:
        assert (directory / name).is_file()
        assert (directory / f"{name}.gz").is_file()
    served = run_python("-c", GET, f"/static/{min(named)}", DJANGO_SETTINGS_MODULE="config.settings", **PRODUCTION)
    assert re.fullmatch(r"200 default-src 'self'; .* nosniff\n", served.stdout), served.stderr
