"""Forms that make and change users, roles and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils.html import format_html

from .models import Permission, Role, User

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    NewUserModelForm = AdminUserCreationForm[User]
    RoleModelForm = forms.ModelForm[Role]
    UserModelForm = forms.ModelForm[User]
    ChangeUserModelForm = UserChangeForm[User]
else:
    NewUserModelForm = AdminUserCreationForm
    RoleModelForm = forms.ModelForm
    UserModelForm = forms.ModelForm
    ChangeUserModelForm = UserChangeForm


class TwoLists(FilteredSelectMultiple):
    """The choices in two lists, inside an element of their own.

    The script that makes the lists puts them first in whatever holds the select: in Django 5.2 before its label.
    """

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        return format_html('<div class="related-widget-wrapper">{}</div>', super().render(*args, **kwargs))


class UniqueEmailMixin(UserModelForm):
    """Says at the field, not only when the row is written, that somebody else has the address in whatever case."""

    def clean_email(self) -> str:
        email = User.objects.tidy_email(self.cleaned_data["email"])
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("A user with this e-mail address already exists.", code="unique")
        return email


class NewUserForm(UniqueEmailMixin, NewUserModelForm):
    class Meta:
        model = User
        fields = ("email", "full_name")


class ChangeUserForm(UniqueEmailMixin, ChangeUserModelForm):
    class Meta:
        model = User
        fields = "__all__"


class ChangeUserAndRolesForm(ChangeUserForm):
    """With the user's roles, for those who may grant and revoke them.

    The field is not named after `User.roles`, because what the form saves by itself would not say who granted.
    """

    held_roles = forms.ModelMultipleChoiceField(
        Role.objects.order_by("name"), label="Roles", required=False, widget=TwoLists("roles", False)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["held_roles"] = list(self.instance.roles.all())


class RoleForm(RoleModelForm):
    """A role with its permissions: one list of choices, whatever the number of permissions."""

    held_permissions = forms.ModelMultipleChoiceField(
        Permission.objects.order_by("codename"),
        label="Permissions",
        required=False,
        widget=TwoLists("permissions", False),
    )

    class Meta:
        model = Role
        fields = ("name", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["held_permissions"] = list(self.instance.permissions.all())
