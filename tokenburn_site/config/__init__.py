"""Configuration of the site: environment, keys, logging, constant settings."""
