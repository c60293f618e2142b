"""The ASGI application: pages over HTTP, the live pages' sockets over WebSocket."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

from tokenburn_site.config.checks import refusal
from tokenburn_site.config.keys import BadEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
http = get_asgi_application()  # sets Django up: what follows imports models
if unsafe := refusal():
    raise BadEnvironment(unsafe)

from runs.routing import websocket_urlpatterns  # noqa: E402  models need the apps that the line above loads

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
