"""Locust's fastest client: the same request, over and over. It runs in its own environment, without this project."""

from locust import FastHttpUser, task

BODY = {"model": "truth", "messages": [{"role": "user", "content": "Hello"}], "stream": False}


class Chatter(FastHttpUser):
    @task
    def chat(self) -> None:
        self.client.post("/v1/chat/completions", json=BODY)
