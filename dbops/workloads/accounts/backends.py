"""Logs users in by e-mail address, and answers what they may do from their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.backends import ModelBackend

from .models import Permission, User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.auth.models import Permission as ModelPermission
    from django.db.models import Model, QuerySet


class EmailBackend(ModelBackend):
    """Case-insensitive by the manager's look-up; refuses users that are deleted or not active.

    An unknown address, a wrong password, a deleted user and one without a usable password cost the same: one run of
    the password hasher, and it runs before the user's state is looked at. A deleted user's session ends at its next
    request, for that asks `get_user`, which asks `user_can_authenticate` too.
    """

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        return isinstance(user, User) and not user.is_deleted and super().user_can_authenticate(user)

    def get_user_permissions(self, user_obj: User | AnonymousUser, obj: Model | None = None) -> set[str]:
        """Nobody holds a permission but by a role."""
        return set()

    async def aget_user_permissions(self, user_obj: User | AnonymousUser, obj: Model | None = None) -> set[str]:
        return set()

    def get_group_permissions(self, user_obj: User | AnonymousUser, obj: Model | None = None) -> set[str]:
        """The codenames that the user's roles hold; every one for a superuser; none for a single object.

        One statement; `has_perm` asks once per user object and remembers.
        """
        return set(permissions) if (permissions := self._held(user_obj, obj)) is not None else set()

    async def aget_group_permissions(self, user_obj: User | AnonymousUser, obj: Model | None = None) -> set[str]:
        permissions = self._held(user_obj, obj)
        return {codename async for codename in permissions} if permissions is not None else set()

    def with_perm(
        self,
        perm: str | ModelPermission,
        is_active: bool | None = True,
        include_superusers: bool = True,
        obj: Model | None = None,
    ) -> QuerySet[User]:
        """The users, deleted ones left out, that have the permission `perm`."""
        if not isinstance(perm, str):
            raise TypeError("a permission is asked for by its codename: app.verb_object")
        if obj is not None:
            return User.objects.none()
        users = User.objects.with_permission(perm)
        if include_superusers:
            users |= User.objects.filter(is_superuser=True)
        if is_active is not None:
            users = users.filter(is_active=is_active)
        return users.not_deleted()

    def _held(self, user_obj: User | AnonymousUser, obj: Model | None) -> QuerySet[Permission, str] | None:
        if obj is not None or not self.user_can_authenticate(user_obj) or not isinstance(user_obj, User):
            return None
        held = Permission.objects.all() if user_obj.is_superuser else Permission.objects.granted_to(user_obj)
        return held.values_list("codename", flat=True)
