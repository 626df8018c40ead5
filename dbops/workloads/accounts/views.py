"""Pages for people: register, log in, log out, change the password. `docs/accounts.md` says what is deliberate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView, RedirectURLMixin
from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from dbops.workloads.client_address import client_network
from dbops.workloads.rate_limits import attempt, refusal

from .limits import limit
from .models import User
from .page_forms import LogInForm, RegistrationForm

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from dbops.workloads.rate_limits import Attempt

    RegistrationView = FormView[RegistrationForm]
else:
    RegistrationView = FormView


class LogInView(LoginView):
    """Every attempt counts before the password is looked at; the right one is given back."""

    template_name = "accounts/log_in.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True
    _attempt: Attempt

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        client = client_network(request)
        address = User.objects.fold_email(request.POST.get("username", ""))
        self._attempt = attempt(limit("log_in_by_client").of(client), limit("log_in_by_address").of(client, address))
        if self._attempt.retry_after_s:
            return refusal(request, self._attempt)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: LogInForm) -> HttpResponse:  # type: ignore[override]
        self._attempt.give_back()
        return super().form_valid(form)


class LogOutView(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, "You are logged out.")
        return response


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class RegisterView(RedirectURLMixin, RegistrationView):
    """Makes a user and logs it in."""

    template_name = "accounts/register.html"
    form_class = RegistrationForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: RegistrationForm) -> HttpResponse:
        counted = attempt(limit("register_by_client").of(client_network(self.request)))
        if counted.retry_after_s:
            return refusal(self.request, counted)
        given = form.cleaned_data
        user = User.objects.register(given["email"], given["password1"], full_name=given["full_name"])
        if user is None:
            form.add_error("email", "This e-mail address cannot be registered: it is in use.")
            return self.form_invalid(form)
        login(self.request, user)
        messages.success(self.request, "Welcome. Your account is ready.")
        return super().form_valid(form)

    def get_default_redirect_url(self) -> str:
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{self.redirect_field_name: self.get_redirect_url(), **kwargs})


@method_decorator(never_cache, name="dispatch")
class ChangePasswordView(PasswordChangeView):
    """Ends the user's other sessions; this one stays. Wrong old passwords count."""

    template_name = "accounts/change_password.html"
    _attempt: Attempt

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._attempt = attempt(limit("change_password_by_user").of(request.user.pk))
        if self._attempt.retry_after_s:
            return refusal(request, self._attempt)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        self._attempt.give_back()
        messages.success(self.request, "Your password is changed. You are logged out everywhere else.")
        return super().form_valid(form)

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if "old_password" not in form.errors:
            self._attempt.give_back()
        return super().form_invalid(form)

    def get_success_url(self) -> str:
        return resolve_url(settings.LOGIN_REDIRECT_URL)
