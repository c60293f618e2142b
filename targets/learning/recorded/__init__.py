"""Recorded exchanges, and the forms in which they come."""
