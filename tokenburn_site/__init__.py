"""The site: settings, task farm, URLs, local services, commands."""

from tokenburn_site.celery import app as celery_app  # shared_task binds to it wherever Django is set up

__all__ = ["celery_app"]
