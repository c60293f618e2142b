"""The command line: `manage.py burn`, `probe`, `load` and `stop`. This level has what several of them share."""
