"""Sample back ends: Django apps with real schemas, data at any scale and the queries that are measured on them.

Each is an ordinary app (`dbops.workloads.accounts`, label `dbops_accounts`, and so on) that a project lists in
INSTALLED_APPS or leaves out. None knows another: their foreign keys go to `settings.AUTH_USER_MODEL`. What an app
offers stands in its module `workload.py` as `WORKLOAD`; `registry.installed_workloads()` finds them.
"""
