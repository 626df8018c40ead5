"""Forms of the pages for people: register, log in, change the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordMixin, UsernameField

from .models import User

if TYPE_CHECKING:
    UserPasswordMixin = SetPasswordMixin[User]
else:
    UserPasswordMixin = SetPasswordMixin

_EMAIL: Final = {"inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}


class LogInForm(AuthenticationForm):
    """By e-mail address. A wrong password, an unknown address and a deleted user are answered with the same words."""

    username = UsernameField(
        widget=forms.EmailInput(attrs={**_EMAIL, "autocomplete": "username", "autofocus": True}),
    )

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "No account has this e-mail address and password.",
    }


class RegistrationForm(UserPasswordMixin, forms.Form):
    """A new user's particulars.

    Whether the address is free is not asked here but when all else is right, so that every answer to that question
    is counted.
    """

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={**_EMAIL, "autocomplete": "email", "autofocus": True}),
    )
    full_name = forms.CharField(
        label="Name",
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password1, password2 = UserPasswordMixin.create_password_fields(label2="Password again")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password2"].help_text = ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.validate_passwords()
        user = User(email=cleaned.get("email", ""), full_name=cleaned.get("full_name", ""))
        self.validate_password_for_user(user, "password1")
        return self.cleaned_data
