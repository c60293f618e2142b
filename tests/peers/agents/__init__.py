"""Servers of libraries for agents."""

import gc

gc.set_threshold(100_000)
"""Importing these libraries makes half a million objects; looking through them took a sixth of the start."""
