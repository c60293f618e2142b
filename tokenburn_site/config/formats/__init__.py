"""How the admin writes dates and times, by language: Django looks here first (FORMAT_MODULE_PATH)."""
