"""Notifies webhooks about the end of runs."""
