"""Faults in mid-run, chosen by a seed, and an account of what the target saw and what the run says of it."""
