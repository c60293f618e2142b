"""Shared by the parts of an engine: its order, contracts, budget, waits, clock."""
