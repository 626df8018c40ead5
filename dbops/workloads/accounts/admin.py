"""Users, roles and permissions in the admin: every list costs the same number of statements for any number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from dbops.workloads.deletion import DatabaseCascadeAdmin

from .forms import ChangeUserAndRolesForm, ChangeUserForm, NewUserForm, RoleForm
from .models import Permission, Role, RolePermission, User, UserRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.views.main import ChangeList
    from django.db.models import Model, QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest

    BaseUserAdmin = DjangoUserAdmin[User]
    UserRoleModelAdmin = admin.ModelAdmin[UserRole]
else:
    BaseUserAdmin = DjangoUserAdmin
    UserRoleModelAdmin = admin.ModelAdmin

# Groups hold no permission here: users have none (see `User`). Importing Django's user admin has registered it.
admin.site.unregister(Group)


class DeletedFilter(admin.SimpleListFilter):
    """Users that are not deleted unless asked for, by the partial index."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Deleted"), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        default, *others = super().choices(changelist)
        yield {**default, "display": "Not deleted"}
        yield from others  # type: ignore[misc]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == "all":
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() != "yes")


@admin.register(User)
class UserAdmin(DatabaseCascadeAdmin, BaseUserAdmin):
    """Django's user admin for log-in by e-mail address, with roles in place of groups.

    Only superusers make staff and superusers, or change a superuser. Roles are granted and revoked by those who may
    add and delete user roles; everybody else sees them.
    """

    form = ChangeUserForm
    add_form = NewUserForm
    list_display = ("email", "full_name", "role_names", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = (DeletedFilter, "is_active", "is_staff", "is_superuser")
    date_hierarchy = "date_joined"
    search_fields = ("email", "full_name")
    ordering = ("-date_joined", "-id")
    filter_horizontal = ()
    show_full_result_count = False
    readonly_fields = ("role_names", "last_login", "date_joined", "deleted_at")
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "role_names")}),
        ("Dates", {"fields": ("last_login", "date_joined", "deleted_at")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "full_name", "usable_password", "password1", "password2")}),
    )
    actions = ("soft_delete", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("roles")

    @admin.display(description="roles")
    def role_names(self, user: User) -> str:
        return ", ".join(sorted(role.name for role in user.roles.all()))

    def get_form(  # type: ignore[override]
        self, request: HttpRequest, obj: User | None = None, **kwargs: Any
    ) -> type[ModelForm[User]]:
        if obj is not None and self._may_grant(request):
            kwargs.setdefault("form", ChangeUserAndRolesForm)
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self._may_grant(request):
            return fieldsets
        return [
            (title, {**options, "fields": tuple("held_roles" if f == "role_names" else f for f in options["fields"])})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, "is_staff", "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_delete_permission(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        super().save_related(request, form, formsets, change)
        if "held_roles" in form.cleaned_data:
            form.instance.roles.set(form.cleaned_data["held_roles"], through_defaults={"granted_by": request.user})

    @admin.action(description="Soft-delete selected users", permissions=["change"])
    def soft_delete(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._changeable(request, queryset).filter(deleted_at__isnull=True).exclude(pk=request.user.pk)
        self._log(request, users, "Soft-deleted.")
        self.message_user(request, f"{users.soft_delete()} soft-deleted.", messages.SUCCESS)

    @admin.action(description="Restore selected users", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._changeable(request, queryset).filter(deleted_at__isnull=False)
        self._log(request, users, "Restored.")
        self.message_user(request, f"{users.restore()} restored.", messages.SUCCESS)

    @staticmethod
    def _may_grant(request: HttpRequest) -> bool:
        return request.user.has_perms(["dbops_accounts.add_userrole", "dbops_accounts.delete_userrole"])

    @staticmethod
    def _is_within_reach(request: HttpRequest, obj: Model | None) -> bool:
        return request.user.is_superuser or not getattr(obj, "is_superuser", False)

    @staticmethod
    def _changeable(request: HttpRequest, queryset: QuerySet[User]) -> Any:
        return queryset if request.user.is_superuser else queryset.filter(is_superuser=False)

    @staticmethod
    def _log(request: HttpRequest, users: QuerySet[User], message: str) -> None:
        LogEntry.objects.log_actions(str(request.user.pk), users, CHANGE, message)


@admin.register(Role)
class RoleAdmin(DatabaseCascadeAdmin):
    form = RoleForm
    list_display = ("name", "description", "permissions_held", "users_holding")
    search_fields = ("name", "description")
    ordering = ("name",)
    fields = ("name", "description", "held_permissions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        roles: QuerySet[Role] = super().get_queryset(request)
        return roles.annotate(permissions_held=_count(RolePermission, "role"), users_holding=_count(UserRole, "role"))

    @admin.display(description="permissions", ordering="permissions_held")
    def permissions_held(self, role: Any) -> Any:
        return role.permissions_held

    @admin.display(description="users", ordering="users_holding")
    def users_holding(self, role: Any) -> Any:
        return role.users_holding

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.permissions.set(form.cleaned_data["held_permissions"])


@admin.register(Permission)
class PermissionAdmin(DatabaseCascadeAdmin):
    list_display = ("codename", "name", "role_names")
    search_fields = ("codename", "name")
    ordering = ("codename",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Permission]:
        return super().get_queryset(request).prefetch_related("roles")

    @admin.display(description="roles")
    def role_names(self, permission: Permission) -> str:
        return ", ".join(sorted(role.name for role in permission.roles.all()))


@admin.register(UserRole)
class UserRoleAdmin(UserRoleModelAdmin):
    """Who holds which role, granted by whom and when. A grant is made or revoked, never changed."""

    list_display = ("user", "role", "granted_by", "granted_at")
    list_filter = ("role",)
    list_select_related = ("user", "role", "granted_by")
    date_hierarchy = "granted_at"
    search_fields = ("user__email", "user__full_name")
    ordering = ("-id",)
    autocomplete_fields = ("user", "role")
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: UserRole | None = None) -> tuple[str, ...]:
        return ("user", "role") if obj is None else ("user", "role", "granted_by", "granted_at")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: UserRole, form: Any, change: Any) -> None:
        obj.granted_by_id = request.user.pk
        super().save_model(request, obj, form, change)


def _count(model: type[Model], column: str) -> Coalesce:
    """How many rows of `model` refer to a row by `column`; a subquery, so that two counts do not multiply."""
    rows = model._default_manager.filter(**{column: OuterRef("pk")}).order_by().values(column)
    return Coalesce(Subquery(rows.annotate(rows=Count("pk")).values("rows")), 0)
