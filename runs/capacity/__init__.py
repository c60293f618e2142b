"""The search for a target's capacity and its result."""
