"""Writes, reads, merges and exports turns and windows in the database."""
