"""Credentials behind pages and API: who gets at them, and who does not."""
