"""The application for ASGI servers: `config.asgi:application`."""

from django.core.asgi import get_asgi_application

from config.entry import web

web()
application = get_asgi_application()
