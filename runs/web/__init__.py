"""Pages outside the admin, and the WebSocket of the live page."""
