"""Owns an engine process from claim to finish."""
