"""All models of the app."""

from policy.models.panic import Panic

__all__ = ["Panic"]
