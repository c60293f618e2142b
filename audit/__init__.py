"""Who did what to what, from where and by which door: an append-only log whose rows are chained by hashes."""
