"""Secrets at rest, for all packages that store some."""
