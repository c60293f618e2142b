"""Interprets the bytes of a turn and records their times. Connectors feed a `Timeline`; each module is a variant."""

from connectors.timeline.base import Timeline

__all__ = ["Timeline"]
