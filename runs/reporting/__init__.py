"""Stored results as reports, tables, charts and text for pages."""
