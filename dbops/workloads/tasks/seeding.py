"""Tasks at any scale, the same each time: see `dbops.workloads.seeding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import connections, models

from dbops.errors import ConfigurationError
from dbops.workloads.registry import EPOCH, silent
from dbops.workloads.seeding import EXAMPLE_DOMAINS, analyze, insert_batches, reserve_keys

from .models import Task

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.workloads.registry import Progress

VERBS = (
    "Answer Approve Archive Book Buy Call Cancel Check Clean Collect Compare Draft File Finish Fix Measure Order Pay "
    "Plan Prepare Print Read Renew Repair Return Review Schedule Send Sign Sort Test Translate Update Write"
).split()
OBJECTS = """\
the quarterly report
the invoice
the train tickets
the insurance
the meeting notes
the contract
the budget
a birthday present
the bicycle
the presentation
the tax return
the travel expenses
the new laptop
the release notes
the garden chairs
the passport
the lease
the backup
the survey
the photographs
the newsletter
the translation
the heating
the guest list
the menu
the time sheet
the library books
""".splitlines()
QUALIFIERS = """\




before the weekend
for the team
with the landlord
again
for next month
(second reminder)
and tell everybody who asked for it
for the meeting on Monday
together with the other documents from last year
in the morning
if the price is right
""".splitlines()
# A prime number of them: whatever step a description takes through the list, no sentence comes twice.
SENTENCES = """\
Ask for the reference number first.
The form is in the blue folder on the second shelf.
It took two hours last time, so start early.
Nothing to do before the answer arrives.
Attach the receipts and keep a copy of everything.
Check the figures against those of last year before sending it out.
Two signatures are needed.
See the notes of the last meeting for what was agreed and what was left open.
The office is open on weekdays from nine to four.
Not urgent.
They prefer to be called in the afternoon.
The price may have changed since the offer was written; compare it with at least two others.
If this cannot be done in time, say so at the beginning of the week and not at its end.
""".splitlines()

# r holds independent draws from [0, 1) for one key. A task was made between 180 days (15,552,000 s) before now and now,
# later keys later. The users it can belong to are those whose turn has come (a new one every `tasks_per_user` keys),
# so tasks never precede their users; the power of the draw prefers the old ones: of n users the u-th has about
# 2 (n / u)^(1/3) - 2 times the mean. What was due is done more often than what is not yet: three in five altogether.
TASKS_SQL = """
INSERT INTO dbops_tasks_task (id, user_id, title, description, is_complete, due_date, created_at, updated_at)
SELECT
    drawn.id,
    owner.{pk},
    rtrim(
        verbs[1 + floor(r[3] * cardinality(verbs))::int]
        || ' ' || objects[1 + floor(r[4] * cardinality(objects))::int]
        || ' ' || qualifiers[1 + floor(r[5] * cardinality(qualifiers))::int]
    ),
    coalesce((
        SELECT string_agg(sentences[1 + mod(first + n * step, number)], ' ' ORDER BY n)
        FROM cardinality(sentences) AS number,
            LATERAL (SELECT floor(r[11] * number)::int AS first, 1 + floor(r[12] * (number - 1))::int AS step) AS way,
            generate_series(1, floor(14 * r[6] * r[6] * r[6] - 0.1)::int) AS n
    ), ''),
    is_complete,
    due_date,
    created_at,
    CASE
        WHEN is_complete OR r[7] < 0.3 THEN %(now)s::timestamptz - make_interval(secs => floor(age_s * r[8]))
        ELSE created_at
    END
FROM (
    SELECT
        aged.*,
        r[10] < CASE
            WHEN due_date IS NULL THEN 0.5
            WHEN due_date < (%(now)s::timestamptz AT TIME ZONE 'UTC')::date THEN 0.68
            ELSE 0.3
        END AS is_complete
    FROM (
        SELECT
            keyed.*,
            %(now)s::timestamptz - make_interval(secs => age_s) AS created_at,
            CASE WHEN r[9] < 0.85 THEN
                ((%(now)s::timestamptz - make_interval(secs => age_s)) AT TIME ZONE 'UTC')::date
                    + 1 + floor(r[9] * r[9] * 80)::int
            END AS due_date
        FROM (
            SELECT
                id,
                r,
                1 + floor(ceil(id / %(tasks_per_user)s::float8) * r[1] * sqrt(r[1]))::bigint AS user_key,
                floor(15552000 * (1 - (id - r[2]) / %(tasks)s)) AS age_s
            FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS series (id)
            CROSS JOIN LATERAL (
                SELECT ARRAY(
                    SELECT (hashint8extended(id, %(seed)s * 1000 + n) & 4294967295) / 4294967296::float8
                    FROM generate_series(1, 12) AS n
                ) AS r
            ) AS draws
            WHERE NOT EXISTS (
                SELECT FROM dbops_tasks_task AS there
                WHERE there.id = series.id AND there.id BETWEEN %(first)s AND %(last)s
            )
        ) AS keyed
    ) AS aged
) AS drawn
JOIN {users} AS owner ON owner.{pk} = drawn.user_key
CROSS JOIN (
    SELECT %(verbs)s::text[] AS verbs, %(objects)s::text[] AS objects, %(qualifiers)s::text[] AS qualifiers,
           %(sentences)s::text[] AS sentences
) AS words
WHERE split_part(lower(owner.{email}), '@', 2) = ANY (%(domains)s)
ORDER BY drawn.id
ON CONFLICT DO NOTHING
"""


def seed(
    using: str = "default",
    *,
    users: int,
    tasks_per_user: int = 10,
    seed: int = 1,
    now: datetime = EPOCH,
    progress: Progress = silent,
) -> None:
    """Makes tasks with keys 1 to `users` x `tasks_per_user`, for the users with keys 1 to `users`.

    A user that is not there, or whose e-mail address is not in a domain reserved for examples, is given none. What is
    there already stays as it is: seeding twice changes nothing, a larger scale adds the difference. On the same users
    the same arguments give the same rows. Raises ConfigurationError when users have no number or no address.
    """
    user_model = get_user_model()
    pk, email = user_model._meta.pk, user_model._meta.get_field(user_model.get_email_field_name())
    if not isinstance(pk, models.IntegerField) or not isinstance(email, models.CharField):
        raise ConfigurationError(
            f"tasks cannot be seeded for {user_model._meta.label}: it needs an integer key and an e-mail address",
            hint='set AUTH_USER_MODEL = "dbops_accounts.User"',
        )
    quote = connections[using].ops.quote_name
    keys = users * tasks_per_user
    reserve_keys(using, Task, keys)
    insert_batches(
        using,
        TASKS_SQL.format(
            users=quote(user_model._meta.db_table),
            pk=quote(str(pk.column)),
            email=quote(str(email.column)),
        ),
        {
            "tasks": keys,
            "tasks_per_user": tasks_per_user,
            "seed": seed,
            "now": now,
            "verbs": VERBS,
            "objects": OBJECTS,
            "qualifiers": QUALIFIERS,
            "sentences": SENTENCES,
            "domains": list(EXAMPLE_DOMAINS),
        },
        keys=keys,
        what="tasks",
        progress=progress,
    )
    analyze(using, Task)
