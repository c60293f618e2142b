"""The files and tables that `burn` writes at its end."""
