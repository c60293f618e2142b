"""The chatbot's dialects over HTTP, WebSocket and Socket.IO, and their authentication."""
