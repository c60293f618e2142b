"""Shared by all faces: options, the plan of a reply, sending it, and statistics."""
