"""A chatbot to test against, over HTTP, WebSocket, Socket.IO and gRPC, with seeded behaviours, delays and errors.

    python -m mock_chatbot --port 0 --behaviour echo --error-rate 0 --delay-ms 0 --stamp t

It shares no code with the rest of this project. See docs/mock-chatbot.md.
"""
