"""Chatbots that misbehave: one small raw-socket server a behaviour, each with the code that it must cost."""
