"""Addresses of the pages for people; a project includes them where it likes."""

from django.urls import path

from .views import ChangePasswordView, LogInView, LogOutView, RegisterView

app_name = "accounts"
urlpatterns = [
    path("register/", RegisterView.as_view(), name="register"),
    path("login/", LogInView.as_view(), name="log_in"),
    path("logout/", LogOutView.as_view(), name="log_out"),
    path("password/", ChangePasswordView.as_view(), name="change_password"),
]
