"""Users, and the roles and permissions they hold."""

from .rbac import Permission, Role, RolePermission, UserRole
from .user import User

__all__ = ["Permission", "Role", "RolePermission", "User", "UserRole"]
