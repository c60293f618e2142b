class SsoRefused(Exception):
    """Nobody is logged in; the message says why, and what to do."""
