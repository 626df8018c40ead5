"""The project's own views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def icon(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What browsers ask for on pages that name no icon, such as the admin's."""
    return redirect(static("site/icon.svg"))


def log_in_to_admin(request: HttpRequest) -> HttpResponse:
    """Sends to the site's own log-in, and back: the admin's has no limits. Who may not see the admin is told so."""
    index = reverse("admin:index")
    if admin.site.has_permission(request):
        return redirect(index)
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", index), settings.LOGIN_URL)
