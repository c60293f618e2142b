"""Evaluates the windows of a run: totals, statistics, thresholds, the load curve, the verdict. Pure."""
