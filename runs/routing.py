"""WebSocket routes of the live pages."""

from django.urls import path, re_path

from runs.web.consumers import NoConsumer, RunConsumer

websocket_urlpatterns = [path("ws/runs/<int:pk>/", RunConsumer.as_asgi()), re_path("", NoConsumer.as_asgi())]
