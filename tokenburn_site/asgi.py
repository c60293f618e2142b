"""The ASGI application: pages over HTTP, the live pages' sockets over WebSocket."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django import setup

from tokenburn_site.config.checks import refusal
from tokenburn_site.config.keys import BadEnvironment


def _application() -> ProtocolTypeRouter:
    """Imports late: models need the apps that the set-up loads."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
    setup(set_prefix=False)
    if unsafe := refusal():
        raise BadEnvironment(unsafe)

    from audit.sockets import AuditedSocket
    from runs.routing import socket_routes
    from tokenburn_site.web.daphne_requests import harden
    from tokenburn_site.web.headers import SecureHandler
    from tokenburn_site.web.origins import ReadableOrigins

    harden()
    routes = socket_routes(lambda socket: AuditedSocket(ReadableOrigins(AllowedHostsOriginValidator(socket))))
    return ProtocolTypeRouter({"http": SecureHandler(), "websocket": AuthMiddlewareStack(URLRouter(routes))})


application = _application()
