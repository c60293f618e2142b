from django.apps import AppConfig


class TokenburnSiteConfig(AppConfig):
    name = "tokenburn_site"

    def ready(self) -> None:
        from django.core.checks import Tags, register

        from tokenburn_site.config.checks import check_files, check_keys, check_unsafe

        register(check_keys, Tags.security)
        register(check_files, Tags.security)
        register(check_unsafe, Tags.security)
