"""Builds the parts of a run from Options: target, scenarios, load."""
