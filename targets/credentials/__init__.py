"""Credentials: secrets apart from the targets that use them, with an owner and the origins that they may go to."""
