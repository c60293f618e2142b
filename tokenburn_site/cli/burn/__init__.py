"""`manage.py burn`."""
