"""`manage.py probe`."""
