"""The application for WSGI servers: `config.wsgi:application`."""

from django.core.wsgi import get_wsgi_application

from config.entry import web

web()
application = get_wsgi_application()
