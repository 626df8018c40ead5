"""Role-based access control: a user holds roles, a role holds permissions.

This is the project's only permission system: `User.has_perm("app.codename")`, and with it the admin, asks these
tables (see `backends.EmailBackend`). Permission and Role are not `django.contrib.auth`'s Permission and Group, whose
tables exist beside them unused: those refer to models only, and their many-to-many tables carry an index too many.

The two relations are models of their own, so that each has just the two indexes that its two directions need. Their
foreign keys are carried out by the database (see the migration): deleting a user, a role or a permission by the ORM,
in the admin or in plain SQL takes the rows that refer to it along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from .user import User


class PermissionQuerySet(models.QuerySet["Permission"]):
    def granted_to(self, user: User) -> Self:
        """What `user` may do by any role, each permission once. One statement."""
        roles = UserRole.objects.filter(user=user).values("role")
        return self.filter(pk__in=RolePermission.objects.filter(role__in=roles).values("permission"))


class Permission(models.Model):
    """One thing that can be allowed, named `app.verb_object` as Django names its own."""

    codename = models.CharField(
        max_length=150,
        validators=[
            RegexValidator(r"\A[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*\Z", "Two lower-case names with a dot between.")
        ],
        help_text="Such as dbops_accounts.view_user: an app's label, a dot, and what is allowed.",
    )
    name = models.CharField(max_length=255)

    objects = PermissionQuerySet.as_manager()

    class Meta:
        constraints = [
            # Serves: a permission by its codename (has it, who has it), and the list in order of codename.
            models.UniqueConstraint(fields=["codename"], name="dbops_permission_codename_key"),
        ]

    def __str__(self) -> str:
        return self.codename


class RoleQuerySet(models.QuerySet["Role"]):
    def held_by(self, user: User) -> Self:
        """The roles of `user`. One statement."""
        return self.filter(user_roles__user=user)


class Role(models.Model):
    """A named set of permissions."""

    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="", db_default="")
    permissions = models.ManyToManyField(Permission, through="RolePermission", related_name="roles")

    objects = RoleQuerySet.as_manager()

    class Meta:
        constraints = [
            # Serves: a role by its name, and the list in order of name. No unique=True: it would make a second index
            # for LIKE that nothing asks for.
            models.UniqueConstraint(fields=["name"], name="dbops_role_name_key"),
        ]

    def __str__(self) -> str:
        return self.name


class RolePermission(models.Model):
    """A permission that a role holds."""

    role = models.ForeignKey(Role, models.DO_NOTHING, related_name="role_permissions", db_index=False)
    permission = models.ForeignKey(Permission, models.DO_NOTHING, related_name="role_permissions", db_index=False)

    class Meta:
        constraints = [
            # Serves: the permissions of a role, and the cascade from role.
            models.UniqueConstraint(fields=["role", "permission"], name="dbops_rolepermission_key"),
        ]
        indexes = [
            # Serves: the roles that hold a permission, and the cascade from permission.
            models.Index(fields=["permission"], name="dbops_roleperm_permission_idx"),
        ]

    def __str__(self) -> str:
        return f"role {self.role_id} may {self.permission_id}"


class UserRole(models.Model):
    """A role that a user holds, with who granted it and when."""

    user = models.ForeignKey("User", models.DO_NOTHING, related_name="user_roles", db_index=False)
    role = models.ForeignKey(Role, models.DO_NOTHING, related_name="user_roles", db_index=False)
    granted_by = models.ForeignKey(
        "User", models.DO_NOTHING, related_name="granted_user_roles", db_index=False, null=True, blank=True
    )
    granted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            # Serves: the roles (and by them the permissions) of a user, and the cascade from user.
            models.UniqueConstraint(fields=["user", "role"], name="dbops_userrole_key"),
        ]
        indexes = [
            # Serves: the users that hold a role, the cascade from role, and the admin's filter by role.
            models.Index(fields=["role"], name="dbops_userrole_role_idx"),
            # Serves: SET NULL when the user who granted is deleted. Roles that nobody granted take no room in it.
            models.Index(
                fields=["granted_by"],
                condition=models.Q(granted_by__isnull=False),
                name="dbops_userrole_granted_by_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} is {self.role_id}"
