"""Tasks in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.contrib.auth import get_user_model

from .models import Task, TaskQuerySet

if TYPE_CHECKING:
    from django.http import HttpRequest

    TaskModelAdmin = admin.ModelAdmin[Task]
else:
    TaskModelAdmin = admin.ModelAdmin


@admin.register(Task)
class TaskAdmin(TaskModelAdmin):
    list_display = ("title", "user", "is_complete", "due_date", "updated_at")
    list_filter = ("is_complete", "due_date")
    list_select_related = ("user",)
    date_hierarchy = "due_date"
    search_fields = ("title", f"user__{get_user_model().USERNAME_FIELD}")
    ordering = ("-id",)
    raw_id_fields = ("user",)
    show_full_result_count = False
    readonly_fields = ("created_at", "updated_at")
    actions = ("mark_complete", "reopen")

    def get_fields(self, request: HttpRequest, obj: Task | None = None) -> tuple[str, ...]:
        fields = ("user", "title", "description", "is_complete", "due_date")
        return fields if obj is None else (*fields, "created_at", "updated_at")

    @admin.action(description="Mark selected tasks as complete", permissions=["change"])
    def mark_complete(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        self.message_user(request, f"{queryset.complete()} marked as complete.", messages.SUCCESS)

    @admin.action(description="Reopen selected tasks", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        self.message_user(request, f"{queryset.reopen()} reopened.", messages.SUCCESS)
