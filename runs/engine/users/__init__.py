"""Simulated users: one module per kind."""
