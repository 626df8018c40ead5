"""The project's user: logs in by e-mail address, is deleted softly, and may do what its roles allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import PermissionsMixin
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Lower, Now
from django.utils import timezone

from dbops.workloads.accounts.fields import CaseInsensitiveEmailField

from .rbac import Role, RolePermission, UserRole

if TYPE_CHECKING:
    from django.db.models import Model


#: The role of everybody who registered, where there is one of that name.
MEMBER: Final = "member"


class UserQuerySet(models.QuerySet["User"]):
    def not_deleted(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def soft_delete(self) -> int:
        """Marks those not deleted yet as deleted now; how many."""
        return self.not_deleted().update(deleted_at=timezone.now())

    def restore(self) -> int:
        """Takes back the soft deletion; of how many."""
        return self.deleted().update(deleted_at=None)

    def with_roles(self) -> Self:
        """With each user's `roles` loaded: two statements for any number of users."""
        return self.prefetch_related("roles")

    def with_permission(self, codename: str) -> Self:
        """The users that have the permission by a role, each once. One statement."""
        roles = RolePermission.objects.filter(permission__codename=codename).values("role")
        return self.filter(pk__in=UserRole.objects.filter(role__in=roles).values("user"))


class UserManager(BaseUserManager["User"]):
    """Finds and makes users by e-mail address.

    It hides nobody. Soft-deleted users stay in every default queryset, because the uniqueness of e-mail addresses,
    restoring, foreign keys and the admin need them; a page for people asks for `not_deleted()`. What must never let
    a deleted user through, logging in and permissions, refuses them itself.
    """

    def get_by_natural_key(self, username: str | None) -> User:
        """The user with this e-mail address, whatever its case. Raises User.DoesNotExist."""
        return self.get(email__iexact=self.tidy_email(username or ""))

    async def aget_by_natural_key(self, username: str | None) -> User:
        return await self.aget(email__iexact=self.tidy_email(username or ""))

    def tidy_email(self, email: str) -> str:
        """As given but for what cannot be seen: no space around it, one code point for one character (NFKC)."""
        return self.model.normalize_username(email.strip())

    def fold_email(self, email: str) -> str:
        """What all spellings have in common by which the database finds one user; others may share it."""
        # İ is folded to i with a dot above, and lowered to a plain i.
        return self.tidy_email(email).casefold().replace("\N{COMBINING DOT ABOVE}", "")

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Makes a user; without a password it cannot log in by one. Raises IntegrityError if the address is taken."""
        return self._create(email, password, {"is_staff": False, "is_superuser": False, **fields})

    def register(self, email: str, password: str, **fields: Any) -> User | None:
        """Makes a user who asked for it, a member where there is that role; None if the address is anybody's already.

        A soft-deleted user's address is as taken as another. The database is asked first, for a refused INSERT would
        leave the address in the server's log; and it decides, when two ask at the same time.
        """
        email = self.tidy_email(email)
        if self.filter(email__iexact=email).exists():
            return None
        try:
            with transaction.atomic(using=self.db):
                user = self.create_user(email, password, **fields)
                user.roles.add(*Role.objects.filter(name=MEMBER))
        except IntegrityError:
            if not self.filter(email__iexact=email).exists():
                raise
            return None
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self._create(email, password, {"is_staff": True, "is_superuser": True, **fields})

    def _create(self, email: str, password: str | None, fields: dict[str, Any]) -> User:
        if not (email := self.tidy_email(email)):
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=email, password=make_password(password), **fields)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person who can log in.

    The e-mail address is kept as it was given and is unique whatever its case, over the soft-deleted too: restoring
    a user can then never fail, and an address never means two people. To free an address, delete the user for good.

    Deleting softly sets `deleted_at` and nothing else; from then on the user cannot log in, its sessions end with the
    next request and it has no permission, not even as a superuser.

    Permissions come from roles alone, so PermissionsMixin's links to `django.contrib.auth`'s groups and permissions
    are left out; its methods (`has_perm` and so on) ask the authentication backend, which asks the roles.

    Of the two unique constraints on the e-mail address the one on LOWER implies the other. Django looks at plain ones
    only when it asks whether USERNAME_FIELD is unique (auth.W004), and silencing that check would hide it for good;
    the plain one also serves what the other cannot: a list in order of e-mail address, and packages that ask for an
    address exactly. It costs a write per new user, none per log-in.
    """

    groups = None  # type: ignore[assignment]
    user_permissions = None  # type: ignore[assignment]

    email = CaseInsensitiveEmailField("e-mail address", max_length=254)
    full_name = models.CharField(max_length=150, blank=True, default="", db_default="")
    is_staff = models.BooleanField(
        "staff status", default=False, db_default=False, help_text="Whether the user can log in to the admin."
    )
    is_active = models.BooleanField(
        "active", default=True, db_default=True, help_text="Unset to lock the user out without deleting it."
    )
    date_joined = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    roles = models.ManyToManyField(Role, through=UserRole, through_fields=("user", "role"), related_name="users")

    objects = UserManager.from_queryset(UserQuerySet)()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        constraints = [
            # Serves: log-in, registration and whatever else finds a user by address (`email__iexact`).
            models.UniqueConstraint(
                Lower("email"),
                name="dbops_user_email_lower_key",
                violation_error_message="A user with this e-mail address already exists.",
            ),
            # Serves: users in order of e-mail address, a page at a time; an address asked for exactly.
            models.UniqueConstraint(fields=["email"], name="dbops_user_email_key"),
        ]
        indexes = [
            # Serves: the users that are not deleted, newest first, a page at a time (the admin's list), and how many
            # joined in a period.
            models.Index(
                fields=["-date_joined", "-id"],
                condition=models.Q(deleted_at__isnull=True),
                name="dbops_user_joined_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def soft_delete(self) -> None:
        """Marks the user as deleted now; does nothing to one that is."""
        if self.deleted_at is None:
            self.deleted_at = timezone.now()
            self.save(update_fields=["deleted_at"])

    def restore(self) -> None:
        self.deleted_at = None
        self.save(update_fields=["deleted_at"])

    def get_full_name(self) -> str:
        return self.full_name

    def get_short_name(self) -> str:
        return self.full_name.partition(" ")[0]

    def has_perm(self, perm: str, obj: Model | None = None) -> bool:
        return not self.is_deleted and super().has_perm(perm, obj)

    async def ahas_perm(self, perm: str, obj: Model | None = None) -> bool:
        return not self.is_deleted and await super().ahas_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return not self.is_deleted and super().has_module_perms(app_label)

    async def ahas_module_perms(self, app_label: str) -> bool:
        return not self.is_deleted and await super().ahas_module_perms(app_label)
