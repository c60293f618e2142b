"""API permissions: staff, by Django's model permissions, also for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request

if TYPE_CHECKING:  # the views module reads the setting that names this one
    from rest_framework.views import APIView


class StaffModelPermissions(DjangoModelPermissions):
    """A view may ask for other rights by `required_perms`: a dict from HTTP method to permission names."""

    perms_map = DjangoModelPermissions.perms_map | {
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
        "OPTIONS": ["%(app_label)s.view_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not getattr(request.user, "is_staff", False):
            return False
        if request.method not in view.allowed_methods:  # asked for its rights, a view without rows would break
            raise MethodNotAllowed(str(request.method))
        required: dict[str, list[str]] = getattr(view, "required_perms", {})
        if request.method in required:
            user: Any = request.user
            return bool(user.has_perms(required[request.method]))
        return super().has_permission(request, view)
