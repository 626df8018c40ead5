"""What users have to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


class TaskQuerySet(models.QuerySet["Task"]):
    """Lists for people: a user's tasks in an order that makes sense to that user."""

    def of_user(self, user: AbstractBaseUser) -> Self:
        """All of a user's tasks: what is to do first, by due date; undated ones after dated ones."""
        return self.filter(user=user).order_by("is_complete", "due_date", "id")

    def pending(self) -> Self:
        """What is to do: the most overdue first, undated last."""
        return self.filter(is_complete=False).order_by("due_date", "id")

    def completed(self) -> Self:
        """What is done: the latest due first, undated last."""
        return self.filter(is_complete=True).order_by(models.F("due_date").desc(nulls_last=True), "-id")

    def complete(self) -> int:
        """Marks those that are pending as done; how many. Rows that are done already are not written again."""
        return self.filter(is_complete=False).update(is_complete=True)

    def reopen(self) -> int:
        """Marks those that are done as pending; how many."""
        return self.filter(is_complete=True).update(is_complete=False)


class Task(models.Model):
    """One thing to do, by one user.

    Deleting a user deletes its tasks in the database (see the migration), for the ORM, the admin and plain SQL alike;
    the ORM neither loads them nor sends signals for them. `updated_at` is written by a trigger: an instance in hand
    has the new value after `refresh_from_db()`. The columns' defaults are the database's too, so that an INSERT in
    plain SQL needs a user and a title only.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="tasks", db_index=False)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="", db_default="")
    is_complete = models.BooleanField("complete", default=False, db_default=False)
    due_date = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TaskQuerySet.as_manager()

    class Meta:
        indexes = [
            # Serves: a user's tasks, all, pending or completed, by due date (`of_user`, `pending`, `completed`), and
            # the foreign key: the cascade from user finds its rows by the first column, so there is none on user alone.
            models.Index(fields=["user", "is_complete", "due_date"], name="dbops_task_user_due_idx"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been done before today, in the current time zone."""
        return not self.is_complete and self.due_date is not None and self.due_date < timezone.localdate()
