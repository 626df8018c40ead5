"""The form of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from .models import Task

if TYPE_CHECKING:
    TaskModelForm = forms.ModelForm[Task]
else:
    TaskModelForm = forms.ModelForm


class NewTaskForm(TaskModelForm):
    class Meta:
        model = Task
        fields: tuple[str, ...] = ("title", "description", "due_date")
        widgets = {
            "title": forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
            "description": forms.Textarea(attrs={"rows": 4}),
            # The browser's own choice of a date speaks ISO 8601, whatever the language.
            "due_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        }


class TaskForm(NewTaskForm):
    class Meta(NewTaskForm.Meta):
        fields = (*NewTaskForm.Meta.fields, "is_complete")
