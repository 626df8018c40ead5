"""What a visitor sees when something is not there, not allowed or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.template.loader import render_to_string

if TYPE_CHECKING:
    from django.test import Client


@pytest.mark.parametrize(
    ("name", "heading"), [("403", "Not allowed"), ("404", "Not found"), ("500", "Something went wrong")]
)
def test_an_error_page_needs_no_request_no_database_and_nothing_from_elsewhere(name: str, heading: str) -> None:
    page = render_to_string(f"{name}.html")
    assert f"<title>{heading}</title>" in page
    assert f"<h1>{heading}</h1>" in page
    assert "http" not in page
    assert "<script" not in page


def test_an_unknown_address_is_answered_with_our_page(client: Client) -> None:
    answer = client.get("/nothing/here/")
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.content.decode()
