"""Presets in the API: what a client needs to fill in a target. Read only."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors.preset_info import preset_infos

VIEW = ["targets.view_target"]


class PresetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    doc = serializers.CharField()
    address = serializers.CharField(help_text="An example of the base address.")
    link = serializers.CharField(help_text="The vendor's documentation; empty: there is none.")
    protocol = serializers.CharField()
    streamed = serializers.CharField(
        allow_null=True, help_text="The protocol of a target with `stream`; null: the preset has one form."
    )
    secrets = serializers.DictField(child=serializers.CharField(), help_text="What each secret is, by its name.")
    params = serializers.DictField(help_text="Defaults by name; null: there is none.")
    needs = serializers.DictField(
        child=serializers.CharField(), help_text="Params that must be given, each with an example."
    )
    attachments = serializers.ListField(
        child=serializers.CharField(), help_text="Kinds of attachments that messages may have; empty: none."
    )
    limits = serializers.CharField(help_text="What the preset cannot do; empty: nothing is known.")


class PresetsView(APIView):
    """Ready mappings for known chatbots."""

    required_perms = {"GET": VIEW, "HEAD": VIEW, "OPTIONS": VIEW}

    @extend_schema(responses=PresetSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All presets: base address, documentation, secrets, params and limits of each."""
        return Response([info.as_dict() for info in preset_infos()])
