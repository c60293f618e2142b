"""The ASGI application: pages over HTTP, the live pages' sockets over WebSocket."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django import setup

from tokenburn_site.config.checks import refusal
from tokenburn_site.config.keys import BadEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
setup(set_prefix=False)  # what follows imports models
if unsafe := refusal():
    raise BadEnvironment(unsafe)

from runs.routing import websocket_urlpatterns  # noqa: E402  models need the apps that the line above loads
from tokenburn_site.web.daphne_requests import harden  # noqa: E402
from tokenburn_site.web.headers import SecureHandler  # noqa: E402
from tokenburn_site.web.origins import ReadableOrigins  # noqa: E402

harden()

application = ProtocolTypeRouter(
    {
        "http": SecureHandler(),
        "websocket": ReadableOrigins(
            AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)
