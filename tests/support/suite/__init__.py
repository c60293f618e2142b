"""How the tests run: prepared databases, and shares of the workers."""
