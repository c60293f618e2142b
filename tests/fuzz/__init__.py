"""Gives the product 100,000 inputs that nobody meant: see `__main__`."""
