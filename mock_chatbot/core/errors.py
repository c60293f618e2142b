"""Errors in OpenAI's format."""

from __future__ import annotations

from typing import Any, NamedTuple


class Failure(NamedTuple):
    """An answer that is an error."""

    status: int
    kind: str
    code: str | None
    message: str
    param: str | None = None
    retry_after_s: int | None = None

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


FAILURES: dict[int, Failure] = {
    failure.status: failure
    for failure in (
        Failure(500, "server_error", None, "The server had an error while processing your request."),
        Failure(429, "requests", "rate_limit_exceeded", "Rate limit reached.", retry_after_s=1),
        Failure(502, "server_error", "bad_gateway", "The model behind this server sent no valid answer."),
        Failure(503, "server_error", "overloaded", "The engine is overloaded.", retry_after_s=1),
        Failure(504, "server_error", "gateway_timeout", "The model behind this server did not answer in time."),
    )
}
"""The random errors that options may request, by status."""


def invalid_request(message: str, param: str | None = None, status: int = 400, code: str | None = None) -> Failure:
    return Failure(status, "invalid_request_error", code, message, param)


UNAUTHORIZED = invalid_request("Incorrect API key provided.", status=401, code="invalid_api_key")


class InvalidInput(ValueError):
    """The user's input is not usable; `param` names the part."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(f"{param}: {message}" if param else message)
        self.message, self.param = message, param

    def failure(self) -> Failure:
        return invalid_request(str(self), self.param)


class InvalidOption(InvalidInput):
    """A flag or a header."""


class InvalidBody(InvalidInput):
    """A request's body."""
