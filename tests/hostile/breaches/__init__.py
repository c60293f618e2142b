"""Behaviours that only fill the table."""
