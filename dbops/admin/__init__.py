"""The admin's section *Database*: an overview of each database, and its findings."""

from django.contrib import admin

from dbops.admin.finding_admin import FindingAdmin
from dbops.admin.look_admin import LookAdmin
from dbops.models import Finding, Look

admin.site.register(Look, LookAdmin)
admin.site.register(Finding, FindingAdmin)
