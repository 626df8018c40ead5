"""Pages for people: a user's own tasks. Another user's are not found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Q
from django.http import HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import CreateView, DeleteView, ListView, UpdateView, View

from .forms import NewTaskForm, TaskForm
from .models import Task, TaskQuerySet

if TYPE_CHECKING:
    from django.core.paginator import Page, Paginator
    from django.forms import Form
    from django.http import HttpRequest, HttpResponse

    ListOfTasks = ListView[Task]
    CreateTask = CreateView[Task, NewTaskForm]
    UpdateTask = UpdateView[Task, TaskForm]
    DeleteTask = DeleteView[Task, Form]
else:
    ListOfTasks, CreateTask, UpdateTask, DeleteTask = ListView, CreateView, UpdateView, DeleteView

#: The lists there are, by what `?status=` says.
STATUSES: Final = ("all", "pending", "completed")


@method_decorator(never_cache, name="dispatch")
class OwnTasks(LoginRequiredMixin, View):
    """Of the one who is logged in, and back to the list as it was seen."""

    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.of_user(self.request.user)  # type: ignore[arg-type]  # logged in, says dispatch

    @property
    def status(self) -> str:
        status = self.request.GET.get("status", "")
        return status if status in STATUSES else "all"

    @property
    def place(self) -> str:
        """The query string of the list and the page in it that the user looks at."""
        place = QueryDict(mutable=True)
        if self.status != "all":
            place["status"] = self.status
        if (page := self.request.GET.get("page", "")).isdecimal():
            place["page"] = page
        return f"?{place.urlencode()}" if place else ""

    def get_success_url(self) -> str:
        return reverse("tasks:list") + self.place


class TaskListView(OwnTasks, ListOfTasks):
    template_name = "tasks/list.html"
    context_object_name = "tasks"
    paginate_by = 20

    def get_queryset(self) -> TaskQuerySet:
        tasks = super().get_queryset()
        match self.status:
            case "pending":
                return tasks.pending()
            case "completed":
                return tasks.completed()
        return tasks

    def paginate_queryset(  # type: ignore[override]
        self, queryset: TaskQuerySet, page_size: int
    ) -> tuple[Paginator[Task], Page[Task], Any, bool]:
        """The page asked for, or the nearest there is: the last task of the last page may just have been deleted."""
        self.counts = (
            super().get_queryset().aggregate(all=Count("pk"), completed=Count("pk", filter=Q(is_complete=True)))
        )
        self.counts["pending"] = self.counts["all"] - self.counts["completed"]
        paginator = self.get_paginator(queryset, page_size)
        paginator.count = self.counts[self.status]
        page = paginator.get_page(self.request.GET.get("page"))
        return paginator, page, page.object_list, page.has_other_pages()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        tabs = [{"status": status, "count": self.counts[status]} for status in STATUSES]
        return {**context, "status": self.status, "tabs": tabs, "place": self.place}


class CreateTaskView(OwnTasks, CreateTask):
    form_class = NewTaskForm
    template_name = "tasks/form.html"

    def form_valid(self, form: NewTaskForm) -> HttpResponse:
        form.instance.user = self.request.user  # type: ignore[assignment]
        messages.success(self.request, f"“{form.instance.title}” is on your list.")
        return super().form_valid(form)


class UpdateTaskView(OwnTasks, UpdateTask):
    form_class = TaskForm
    template_name = "tasks/form.html"
    context_object_name = "task"

    def form_valid(self, form: TaskForm) -> HttpResponse:
        messages.success(self.request, f"“{form.instance.title}” is saved.")
        return super().form_valid(form)


class MarkTaskView(OwnTasks):
    """Completes a task, or takes that back. Doing it twice does no harm."""

    http_method_names = ["post", "options"]
    is_complete = True

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = get_object_or_404(self.get_queryset(), pk=pk)
        if self.is_complete:
            self.get_queryset().filter(pk=pk).complete()
            messages.success(request, f"“{task.title}” is done.")
        else:
            self.get_queryset().filter(pk=pk).reopen()
            messages.success(request, f"“{task.title}” is to do again.")
        return HttpResponseRedirect(self.get_success_url())


class DeleteTaskView(OwnTasks, DeleteTask):
    template_name = "tasks/delete.html"
    context_object_name = "task"

    def form_valid(self, form: Form) -> HttpResponse:
        messages.success(self.request, f"“{self.object.title}” is deleted.")
        return super().form_valid(form)
