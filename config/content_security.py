"""What a page of the site may load and do, said to the browser with every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.deprecation import MiddlewareMixin

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Sends `settings.SECURE_CSP`, unless the view has said something of its own.

    Django has the setting, and a middleware for it, from 6.0 on; this one does the same on 5.2. The pages that
    explain an error during development carry their style inside and go without, as in Django's.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not (settings.DEBUG and response.status_code in {400, 404, 500}):
            policy = "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in settings.SECURE_CSP.items())
            response.headers.setdefault("Content-Security-Policy", policy)
        return response
