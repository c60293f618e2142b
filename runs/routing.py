"""WebSocket routes of the live pages."""

from django.urls import path

from runs.web.consumers import RunConsumer

websocket_urlpatterns = [path("ws/runs/<int:pk>/", RunConsumer.as_asgi())]
