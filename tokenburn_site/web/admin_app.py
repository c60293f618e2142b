"""The admin as a Django app."""

from django.contrib.admin.apps import SimpleAdminConfig


class AdminConfig(SimpleAdminConfig):
    """urls.py finds the pages: engines and workers have none."""

    default_site = "tokenburn_site.web.admin_site.Site"
