"""What dbops keeps in the project's own database: looks and what they found, counters, and the texts of statements."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from dbops.findings.finding import Ownership, Severity


class Look(models.Model):
    """One look at DATABASES[`alias`]. Of earlier ones than the last, the scores are kept, not the findings.

    `report` is the report as `docs/contracts.md` lays down, without its findings: they are rows of their own. It is
    None until the look is done. `error` says why it failed.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    alias = models.TextField("database")
    status = models.TextField(choices=Status, default=Status.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    report = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "overview"
        default_permissions = ("view",)
        permissions = [("start_look", "Can have a database looked at")]
        constraints = [
            # The one lock that every process sees: whoever inserts the row is the one who looks.
            models.UniqueConstraint(
                fields=["alias"], condition=models.Q(status="running"), name="dbops_look_one_running"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alias}, {self.started_at:%Y-%m-%d %H:%M} ({self.status})"


class Finding(models.Model):
    """What one check found in a look, in the words of `docs/contracts.md`.

    `position` is its place in the report as a person reads it. `is_folded` marks what is no danger and other people's
    to mend: it is counted, and shown when asked for.
    """

    look = models.ForeignKey(Look, models.CASCADE, related_name="findings", db_index=False)
    position = models.PositiveIntegerField()
    is_folded = models.BooleanField()
    is_red = models.BooleanField()
    check_name = models.TextField("check")
    severity = models.TextField(choices=[(one.value, one.value) for one in reversed(Severity)])
    confidence = models.TextField()
    basis = models.TextField()
    ownership = models.TextField(choices=[(one.value, one.value.replace("_", " ")) for one in Ownership])
    app_label = models.TextField("app", default="", blank=True)
    model = models.TextField(default="", blank=True)
    field = models.TextField(default="", blank=True)
    migration = models.TextField(default="", blank=True)
    kind = models.TextField()
    target = models.TextField()
    message = models.TextField()
    notes = models.JSONField(default=list)
    evidence = models.JSONField(default=dict)
    rolled_up = models.JSONField(default=list)
    fix = models.JSONField(null=True)
    fingerprint = models.TextField()
    first_seen_at = models.DateTimeField("first seen", null=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            # Serves the foreign key too, which so needs no index of its own.
            models.UniqueConstraint(fields=["look", "position"], name="dbops_finding_position"),
        ]

    def __str__(self) -> str:
        return f"{self.check_name} {self.target}"


class Episode(models.Model):
    """A time over which a finding was there at one severity: from `began_at` until `ended_at`, None while it is there.

    `first_seen_at` is when the finding itself was found first: before `began_at` where it became better or worse.
    `seen_at` is the last look that found it.
    """

    alias = models.TextField("database")
    fingerprint = models.TextField()
    check_name = models.TextField("check")
    kind = models.TextField()
    target = models.TextField()
    severity = models.TextField(choices=[(one.value, one.value) for one in reversed(Severity)])
    first_seen_at = models.DateTimeField()
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["alias", "fingerprint"], condition=models.Q(ended_at=None), name="dbops_episode_one_open"
            ),
        ]
        indexes = [models.Index(fields=["alias", "ended_at"], name="dbops_episode_ended_at")]

    def __str__(self) -> str:
        return f"{self.check_name} {self.target}"


class Counters(models.Model):
    """The counters of DATABASES[`alias`] at one moment; what is kept of them, and how, `dbops.counters` says.

    `epoch` and `statement_epoch` say whose counters they are and since when they count, None where that was not seen.
    `data` are sections, packed; where there is a `base` they say how they differ from its own. `tier` is how long they
    are kept.
    """

    class Tier(models.TextChoices):
        DAY = "day", "day"
        HOUR = "hour", "hour"
        MINUTE = "minute", "minute"

    alias = models.TextField("database")
    taken_at = models.DateTimeField()
    tier = models.TextField(choices=Tier)
    # Whatever has a base is deleted before it.
    base = models.ForeignKey("self", models.DO_NOTHING, null=True, related_name="+")
    epoch = models.JSONField(null=True)
    statement_epoch = models.JSONField(null=True)
    data = models.BinaryField()

    class Meta:
        verbose_name_plural = "counters"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["alias", "taken_at"], name="dbops_counters_moment")]

    def __str__(self) -> str:
        return f"{self.alias}, {self.taken_at:%Y-%m-%d %H:%M:%S}"


class Statement(models.Model):
    """The text of a statement that counters were kept of, without anything in it that could be data.

    `is_own` marks those of dbops itself. `seen_at` is about when it ran last.
    """

    alias = models.TextField("database")
    query_id = models.BigIntegerField()
    text = models.TextField()
    is_own = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["alias", "query_id"], name="dbops_statement_query_id")]

    def __str__(self) -> str:
        return self.text


class SlowQueries(models.Model):
    """Slow executions of DATABASES[`alias`] in one process's minute or, once merged, in an hour of all processes.

    `data` has how long they took, by statement: `dbops.slow_queries.store` says how.
    """

    alias = models.TextField("database")
    began_at = models.DateTimeField()
    seconds = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        verbose_name_plural = "slow queries"
        default_permissions = ()
        indexes = [models.Index(fields=["alias", "began_at"], name="dbops_slowqueries_began_at")]

    def __str__(self) -> str:
        return f"{self.alias}, {self.began_at:%Y-%m-%d %H:%M}"


class SlowQueryProcess(models.Model):
    """A process whose statements for DATABASES[`alias`] were watched, and until when all it saw is kept.

    `threshold_ms` is from when on a statement was slow there. `dropped` slow executions were not counted for want of
    room, the last at `dropped_at`. `has_ended` says that nothing comes after `seen_at`.
    """

    process = models.UUIDField()
    alias = models.TextField("database")
    threshold_ms = models.FloatField()
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    has_ended = models.BooleanField(default=False)
    dropped = models.PositiveIntegerField(default=0)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "slow query processes"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["process", "alias"], name="dbops_slowqueryprocess_once")]

    def __str__(self) -> str:
        return f"{self.alias}, {self.process}"
