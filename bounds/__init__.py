"""Limits of what other people give: templates, JSON and files. Both sandboxes keep to them. Pure."""
