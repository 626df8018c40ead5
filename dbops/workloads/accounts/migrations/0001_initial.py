"""Users, roles, permissions; what refers to them goes with them, and the database sees to it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import migrations, models
from django.db.models.functions import Lower, Now

from dbops.workloads.accounts.fields import CaseInsensitiveEmailField
from dbops.workloads.operations import SetDatabaseOnDelete


def primary_key() -> models.Field[Any, Any]:
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True

    operations: ClassVar = [
        migrations.CreateModel(
            name="Permission",
            fields=[
                ("id", primary_key()),
                (
                    "codename",
                    models.CharField(
                        help_text="Such as dbops_accounts.view_user: an app's label, a dot, and what is allowed.",
                        max_length=150,
                        validators=[
                            RegexValidator(
                                r"\A[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*\Z", "Two lower-case names with a dot between."
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=255)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["codename"], name="dbops_permission_codename_key")]
            },
        ),
        migrations.CreateModel(
            name="Role",
            fields=[
                ("id", primary_key()),
                ("name", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True, db_default="", default="")),
            ],
            options={"constraints": [models.UniqueConstraint(fields=["name"], name="dbops_role_name_key")]},
        ),
        migrations.CreateModel(
            name="RolePermission",
            fields=[
                ("id", primary_key()),
                (
                    "role",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="role_permissions",
                        to="dbops_accounts.role",
                    ),
                ),
                (
                    "permission",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="role_permissions",
                        to="dbops_accounts.permission",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["role", "permission"], name="dbops_rolepermission_key")
                ],
                "indexes": [models.Index(fields=["permission"], name="dbops_roleperm_permission_idx")],
            },
        ),
        SetDatabaseOnDelete("RolePermission", "role", "CASCADE"),
        SetDatabaseOnDelete("RolePermission", "permission", "CASCADE"),
        migrations.AddField(
            model_name="role",
            name="permissions",
            field=models.ManyToManyField(
                related_name="roles", through="dbops_accounts.RolePermission", to="dbops_accounts.permission"
            ),
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", primary_key()),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("email", CaseInsensitiveEmailField(max_length=254, verbose_name="e-mail address")),
                ("full_name", models.CharField(blank=True, db_default="", default="", max_length=150)),
                (
                    "is_staff",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Whether the user can log in to the admin.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        db_default=True,
                        default=True,
                        help_text="Unset to lock the user out without deleting it.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(db_default=Now(), editable=False)),
                ("deleted_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        Lower("email"),
                        name="dbops_user_email_lower_key",
                        violation_error_message="A user with this e-mail address already exists.",
                    ),
                    models.UniqueConstraint(fields=["email"], name="dbops_user_email_key"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(deleted_at__isnull=True),
                        fields=["-date_joined", "-id"],
                        name="dbops_user_joined_idx",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UserRole",
            fields=[
                ("id", primary_key()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="user_roles",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="user_roles",
                        to="dbops_accounts.role",
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="granted_user_roles",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("granted_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["user", "role"], name="dbops_userrole_key")],
                "indexes": [
                    models.Index(fields=["role"], name="dbops_userrole_role_idx"),
                    models.Index(
                        condition=models.Q(granted_by__isnull=False),
                        fields=["granted_by"],
                        name="dbops_userrole_granted_by_idx",
                    ),
                ],
            },
        ),
        SetDatabaseOnDelete("UserRole", "user", "CASCADE"),
        SetDatabaseOnDelete("UserRole", "role", "CASCADE"),
        SetDatabaseOnDelete("UserRole", "granted_by", "SET NULL"),
        migrations.AddField(
            model_name="user",
            name="roles",
            field=models.ManyToManyField(
                related_name="users",
                through="dbops_accounts.UserRole",
                through_fields=("user", "role"),
                to="dbops_accounts.role",
            ),
        ),
    ]
