"""409: the row is not in the state for it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers, status
from rest_framework.exceptions import APIException


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class ProblemSerializer(serializers.Serializer[Any]):
    """An answer that says why it was refused."""

    detail = serializers.CharField()
