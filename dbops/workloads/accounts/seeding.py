"""Users, roles and permissions at any scale, the same each time: see `dbops.workloads.seeding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.workloads.registry import EPOCH, silent
from dbops.workloads.seeding import EXAMPLE_DOMAINS, analyze, insert_batches, reserve_keys

from .models import Permission, Role, RolePermission, User, UserRole

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.workloads.registry import Progress

# No password hashes to this, so nobody logs in as a seeded user; and no time goes into hashing.
UNUSABLE_PASSWORD = "!seeded"  # noqa: S105

PERMISSIONS = {
    "assistant.chat": "Talk to the assistant",
    "assistant.upload_file": "Upload files",
    "assistant.search": "Search conversations",
    "assistant.export": "Export conversations",
    "assistant.share": "Share a conversation",
    "assistant.manage_memory": "Read and change what is remembered",
    "assistant.use_tools": "Let the assistant use tools",
    "assistant.see_usage": "See usage and cost",
    "dbops_accounts.view_user": "Can view user",
    "dbops_accounts.add_user": "Can add user",
    "dbops_accounts.change_user": "Can change user",
    "dbops_accounts.view_role": "Can view role",
    "dbops_accounts.change_role": "Can change role",
    "dbops_accounts.view_userrole": "Can view user role",
    "dbops_accounts.add_userrole": "Can add user role",
    "dbops_accounts.delete_userrole": "Can delete user role",
}
# Role → what it is for, the share of users that hold it, and its permissions by prefix of the codename.
ROLES: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "member": ("Everybody who registered.", 1.0, ("assistant.chat", "assistant.search", "assistant.export")),
    "contributor": ("Works with files and tools.", 0.3, ("assistant.",)),
    "analyst": ("Looks at usage and cost.", 0.04, ("assistant.see_usage", "assistant.search")),
    "support": ("Helps users.", 0.01, ("dbops_accounts.view_", "dbops_accounts.change_user", "assistant.search")),
    "auditor": ("Sees who may do what.", 0.004, ("dbops_accounts.view_",)),
    "administrator": ("May do everything.", 0.001, ("",)),
}
GIVEN_NAMES = (
    "Ada Amina Andrei Ben Carla Chen Daniel Elif Emma Felix Fatima Grace Hana Igor Ines Ivan Jan Joana Kofi Lea Liam "
    "Lucia Maria Mei Milan Nadia Noah Olga Omar Paula Priya Rafael Rosa Samir Sofia Tomas Uma Victor Wei Yusuf Zoe"
).split()
FAMILY_NAMES = (
    "Abebe Alvarez Andersson Bauer Chowdhury Costa Diaz Dubois Eriksen Fischer Garcia Haddad Hansen Ito Jansen "
    "Kaya Kim Kowalski Kumar Laurent Lopez Martin Mensah Moreau Nagy Nguyen Novak Okafor Olsen Park Patel Popescu "
    "Rossi Santos Sato Schmidt Silva Smith Tanaka Torres Vogel Wang Weber Yilmaz Zhang"
).split()

# r holds independent draws from [0, 1) for one key. A user joined between 1100 days (95,040,000 s) before now and now,
# later keys later. One in five addresses is written with capitals, one user in 25 is deleted, one in 400 is staff.
USERS_SQL = """
INSERT INTO dbops_accounts_user
    (id, password, last_login, is_superuser, email, full_name, is_staff, is_active, date_joined, deleted_at)
SELECT
    id,
    %(password)s,
    CASE WHEN r[4] < 0.9 THEN %(now)s::timestamptz - make_interval(secs => floor(age_s * r[5] * r[5])) END,
    false,
    CASE WHEN r[6] < 0.2 THEN given || '.' || family ELSE lower(given || '.' || family) END || id || '@' || domain,
    CASE WHEN r[7] < 0.92 THEN given || ' ' || family ELSE '' END,
    mod(id, 400) = 1,
    r[8] < 0.97,
    %(now)s::timestamptz - make_interval(secs => age_s),
    CASE WHEN r[9] < 0.04 THEN %(now)s::timestamptz - make_interval(secs => floor(age_s * r[10])) END
FROM (
    SELECT
        id,
        r,
        floor(95040000 * (1 - (id - r[1]) / %(users)s)) AS age_s,
        given_names[1 + floor(r[2] * cardinality(given_names))::int] AS given,
        family_names[1 + floor(r[3] * cardinality(family_names))::int] AS family,
        domains[1 + mod(id, cardinality(domains))] AS domain
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS series (id)
    CROSS JOIN LATERAL (
        SELECT ARRAY(
            SELECT (hashint8extended(id, %(seed)s * 1000 + n) & 4294967295) / 4294967296::float8
            FROM generate_series(1, 10) AS n
        ) AS r
    ) AS draws
    CROSS JOIN (
        SELECT %(given_names)s::text[] AS given_names, %(family_names)s::text[] AS family_names,
               %(domains)s::text[] AS domains
    ) AS words
    WHERE NOT EXISTS (
        SELECT FROM dbops_accounts_user AS there
        WHERE there.id = series.id AND there.id BETWEEN %(first)s AND %(last)s
    )
) AS drawn
ORDER BY id
ON CONFLICT DO NOTHING
"""

# Everybody is a member by registering; the other roles were granted by a user of the staff, since joining.
USER_ROLES_SQL = """
INSERT INTO dbops_accounts_userrole (user_id, role_id, granted_by_id, granted_at)
SELECT
    holder.id,
    role.id,
    granter.id,
    CASE
        WHEN wanted.share = 1 THEN holder.date_joined
        ELSE %(now)s::timestamptz
            - make_interval(secs => floor(extract(epoch FROM %(now)s::timestamptz - holder.date_joined)::float8 * r[2]))
    END
FROM dbops_accounts_user AS holder
CROSS JOIN unnest(%(roles)s::text[], %(shares)s::float8[]) WITH ORDINALITY AS wanted (name, share, place)
CROSS JOIN LATERAL (
    SELECT ARRAY(
        SELECT (hashint8extended(holder.id, %(seed)s * 1000 + wanted.place * 10 + n) & 4294967295) / 4294967296::float8
        FROM generate_series(91, 93) AS n
    ) AS r
) AS draws
JOIN dbops_accounts_role AS role ON role.name = wanted.name
LEFT JOIN dbops_accounts_user AS granter
    ON wanted.share < 1 AND granter.id = 1 + 400 * floor(r[3] * ((holder.id - 1) / 400 + 1))::bigint
WHERE holder.id BETWEEN %(first)s AND %(last)s
    AND split_part(lower(holder.email), '@', 2) = ANY (%(domains)s)
    AND r[1] < wanted.share
    AND NOT EXISTS (
        SELECT FROM dbops_accounts_userrole AS there
        WHERE there.user_id = holder.id AND there.role_id = role.id AND there.user_id BETWEEN %(first)s AND %(last)s
    )
ORDER BY holder.id, wanted.place
ON CONFLICT DO NOTHING
"""


def seed(
    using: str = "default",
    *,
    users: int,
    seed: int = 1,
    now: datetime = EPOCH,
    password: str = UNUSABLE_PASSWORD,
    progress: Progress = silent,
) -> None:
    """Makes users with keys 1 to `users`, the roles, their permissions, and who holds which role.

    What is there already stays as it is: seeding twice changes nothing, a larger scale adds the difference. On an
    empty database the same arguments give the same rows. `password` is what all seeded users share in the column, an
    encoded hash (one costs a fifth of a second, so it is made once, by the caller) or, by default, an unusable one.
    """
    insert_roles(using)
    reserve_keys(using, User, users)
    insert_batches(
        using,
        USERS_SQL,
        {
            "users": users,
            "seed": seed,
            "now": now,
            "password": password,
            "given_names": GIVEN_NAMES,
            "family_names": FAMILY_NAMES,
            "domains": list(EXAMPLE_DOMAINS),
        },
        keys=users,
        what="users",
        progress=progress,
    )
    analyze(using, User)
    insert_batches(
        using,
        USER_ROLES_SQL,
        {
            "seed": seed,
            "now": now,
            "roles": list(ROLES),
            "shares": [share for _, share, _ in ROLES.values()],
            "domains": list(EXAMPLE_DOMAINS),
        },
        keys=users,
        what="roles of users",
        progress=progress,
    )
    analyze(using, Role, Permission, RolePermission, UserRole)


def insert_roles(using: str) -> None:
    """Makes the roles and permissions that are not there yet, recognised by name; one that is there is left as it is,
    with the permissions it has."""
    known = set(Permission.objects.using(using).values_list("codename", flat=True))
    Permission.objects.using(using).bulk_create(
        Permission(codename=codename, name=name) for codename, name in PERMISSIONS.items() if codename not in known
    )
    permissions = {permission.codename: permission for permission in Permission.objects.using(using)}
    there = set(Role.objects.using(using).values_list("name", flat=True))
    roles = Role.objects.using(using).bulk_create(
        Role(name=name, description=description) for name, (description, _, _) in ROLES.items() if name not in there
    )
    RolePermission.objects.using(using).bulk_create(
        RolePermission(role=role, permission=permissions[codename])
        for role in roles
        for codename in PERMISSIONS
        if codename.startswith(ROLES[role.name][2])
    )
