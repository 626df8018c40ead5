"""Where dbops is switched off nobody has a database looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.test import override_settings
from django.urls import reverse

from dbops.models import Look

if TYPE_CHECKING:
    from tests.admin.conftest import MakeStaff


def test_no_look_can_be_started_while_dbops_is_switched_off(staff: MakeStaff) -> None:
    client, start = staff("view_look", "start_look"), reverse("admin:dbops_look_start")
    overview = reverse("admin:dbops_look_changelist")
    assert start in client.get(overview).content.decode()
    with override_settings(DBOPS={"ENABLED": False}):
        page = client.get(overview)
        assert (page.status_code, start in page.content.decode()) == (200, False)
        assert client.post(start, {"database": "default"}).status_code == 403
    assert not Look.objects.exists()
