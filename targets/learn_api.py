"""What the API takes to learn a target, and what it gives: what `manage.py probe --learn --json` prints."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from rest_framework import serializers

from inputs.rest import Strict
from targets.learn_page import FILE_BYTES, HINT_CHARS, TEXT_CHARS, propose
from targets.learning.proposal import Proposal
from targets.learning.recorded.errors import LearnError

TEXTS: Final = 10


class LearnSerializer(Strict):
    """What was recorded, as texts or as a file."""

    texts = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_CHARS, trim_whitespace=False),
        required=False,
        allow_empty=False,
        max_length=TEXTS,
        help_text="Curl lines, HAR files, recorded answers or OpenAPI documents; a request and its answer may be two.",
    )
    file = serializers.FileField(required=False)
    message = serializers.CharField(
        default="", allow_blank=True, max_length=HINT_CHARS, help_text="What the user said in it, if it is not found."
    )
    url = serializers.CharField(
        default="", allow_blank=True, max_length=HINT_CHARS, help_text="The address, if it has none."
    )

    def validate_file(self, file: Any) -> Any:
        if file.size > FILE_BYTES:
            raise serializers.ValidationError(f"the file is too large: at most {FILE_BYTES:,} bytes")
        return file

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"texts", "file"}:
            raise serializers.ValidationError("give `texts` or, in a form, a `file`")
        return attrs

    def proposal(self) -> Proposal:
        """Raises ValidationError for what is of no use."""
        given = self.validated_data
        inputs = [*given.get("texts", ()), *([given["file"].read()] if "file" in given else [])]
        try:
            return propose(inputs, message=given["message"], url=given["url"])
        except LearnError as exc:
            raise serializers.ValidationError({"texts" if "texts" in given else "file": [str(exc)]}) from exc


class LearnTextSerializer(LearnSerializer):
    """What was recorded, as texts."""

    request_rules: ClassVar = {"required": ["texts"]}

    def get_fields(self) -> dict[str, Any]:
        return {name: field for name, field in super().get_fields().items() if name != "file"}


class ProposedSerializer(serializers.Serializer[Any]):
    """With a `name`, what `/api/targets/` takes."""

    preset = serializers.CharField()
    url = serializers.CharField()
    stream = serializers.BooleanField()
    params = serializers.DictField()
    overrides = serializers.DictField()


class ReadSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    tokens_in = serializers.IntegerField(allow_null=True)
    tokens_out = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(help_text="Why nothing, or not all, was read; empty: all was.")


class LearnedSerializer(serializers.Serializer[Any]):
    target = ProposedSerializer()
    secrets = serializers.ListField(
        child=serializers.CharField(), help_text="Names of the secrets that it needs; no value of one is returned."
    )
    reason = serializers.CharField(help_text="Why this preset, or that none fits.")
    message = serializers.CharField(help_text="What was taken as the user's message; empty: none was found.")
    reads = ReadSerializer(allow_null=True, help_text="What the mapping reads in the recorded answer.")
    unsure = serializers.ListField(child=serializers.CharField(), help_text="What was decided without proof.")
    untold = serializers.ListField(
        child=serializers.CharField(), help_text="What could not be found out: the target needs it."
    )
