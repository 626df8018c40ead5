"""Addresses of the pages for people; a project includes them where it likes."""

from django.urls import path

from .views import CreateTaskView, DeleteTaskView, MarkTaskView, TaskListView, UpdateTaskView

app_name = "tasks"
urlpatterns = [
    path("", TaskListView.as_view(), name="list"),
    path("new/", CreateTaskView.as_view(), name="create"),
    path("<int:pk>/", UpdateTaskView.as_view(), name="update"),
    path("<int:pk>/complete/", MarkTaskView.as_view(is_complete=True), name="complete"),
    path("<int:pk>/reopen/", MarkTaskView.as_view(is_complete=False), name="reopen"),
    path("<int:pk>/delete/", DeleteTaskView.as_view(), name="delete"),
]
