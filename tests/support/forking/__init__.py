"""Forks our Python programs instead of executing them."""
