"""A compiled target: its mapping, and everything that its conversations share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from connectors.handshake.farewell import Farewell
from connectors.handshake.handshake import Handshake
from connectors.handshake.then import Then
from connectors.http.cookies import Cookies
from connectors.http.endpoint import endpoint_of
from connectors.http.signing import signing
from connectors.mapping.answers.response import ResponseMapping
from connectors.mapping.answers.saving import Saving
from connectors.mapping.attached import Attaching
from connectors.mapping.expressions import MISSING, Context, new_uuid
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.messages import AutoReply, Message, greeting_step, step_of
from connectors.mapping.payload import Codecs, CodecTemplate
from connectors.mapping.request import RenderedRequest, RequestTemplate
from connectors.mapping.templates import compile_value, value_of
from connectors.mapping.unset import missing_secrets
from connectors.security.redact import Redactor
from connectors.spec import ONE_ANSWER, TargetSpec
from connectors.spec.tools import offers_tools
from connectors.timeline.greeting import Dialogue
from connectors.timeline.replies import ReplyTo, correlates
from connectors.tools.reply import ToolReply


class CompiledTarget:
    """A compiled TargetSpec: `render` builds requests, `response` reads answers. Raises SpecError when built.

    `params_vary`: each conversation may have params of its own (`with_params`), so that nothing that names one is
    rendered beforehand. What a handshake sends always has the target's own.
    """

    found_eio: int | None = None
    """Engine.IO's version, as a connection has found it out."""

    def __init__(self, spec: TargetSpec, *, params_vary: bool = False) -> None:
        self.spec = spec
        self.response = ResponseMapping(spec.response, tools=offers_tools(spec.params))
        endpoint = endpoint_of(spec)
        self.host, self.port, self.tls = endpoint.host, endpoint.port, endpoint.tls
        fold: dict[str, Any] = {
            "params": spec.params,
            "secret": {} if endpoint.vault is None else endpoint.vault.tokens,
        }
        self._fold = dict(fold)
        self.endpoint = signing(endpoint, spec.aws_signature, {**fold, BUDGET: Budget()})
        self._original: CompiledTarget | None = None
        self.redact = Redactor() if endpoint.vault is None else endpoint.vault.redact
        if params_vary:
            fold = {"secret": fold["secret"]}
        fold[BUDGET] = Budget()  # what is compiled and rendered here has one together
        self._compile_requests(fold)
        self._codecs = CodecTemplate(spec.codec, fold, self.endpoint.release_text)
        self.has_codecs = bool(spec.codec.request or spec.codec.response)
        self.reply_to = None if spec.reply_to is None else ReplyTo(spec.reply_to)
        self.then = Then(spec, self.endpoint, fold, fold[BUDGET]) if spec.then else None
        self.says_beside_turns = bool(spec.before or spec.after or spec.auto_replies)
        self.says_beside_turns |= self.tools is not None and self.tools.in_messages
        self.keeps_context = self.says_beside_turns or self.then is not None or self.tools is not None
        """Whether something else than the turn's request is rendered with what its templates see."""
        self.reads_requests = self.has_codecs or self.reply_to is not None or self.keeps_context
        """Whether something is done with each request when it is rendered."""
        self._compile_dialogue(fold)
        self._compile_handshake(fold[BUDGET])
        self.saving = Saving(spec.response.sources, "response.save") if spec.response.sources else None
        """What is saved of each answer from other places than paths; None: nothing."""
        asking = [asks for asks in (self.handshake, self.then) if asks is not None]
        self.reads_heads = any(asks.reads_heads for asks in asking)
        self.reads_heads |= self.saving is not None and self.saving.needs_head
        """Whether values are saved from the heads of answers, which lanes read for this alone."""
        self.cookies = Cookies()

    def _compile_requests(self, fold: Context) -> None:
        """Those of turns and of connections."""
        spec, parts = self.spec, urlsplit(self.spec.url)
        base, query = parts.path, f"?{parts.query}" if parts.query else ""
        self._request = RequestTemplate(spec.request, "request", fold, base, query)
        self._standing = spec.standing and RequestTemplate(spec.standing, "standing", fold, base, query)
        self._auth = compile_value(spec.socketio.auth, "socketio.auth", fold)
        hello = spec.socketio.hello
        self._hello = RequestTemplate(hello, "socketio.hello", fold) if hello is not None else None
        self.attach = Attaching(spec.attachments, names_parts="attachment_parts" in spec.sent_in_turns()).put
        """Puts the attachments of messages into the context of a turn, before it is rendered."""
        self._names_message_id = "message_id" in str(spec.frozen_dict())
        self.tools: ToolReply | None = None
        """What is done about tool calls; None: nothing."""
        if spec.tool_reply is not None and spec.tool_results:
            self.tools = ToolReply(spec, spec.tool_reply, fold, base, query)

    def _compile_handshake(self, budget: Budget) -> None:
        """What is asked before a conversation and at its end."""
        steps, goodbye = self.spec.handshake.steps, self.spec.handshake.goodbye
        self.handshake = Handshake(self.spec, self.endpoint, self._fold, budget) if steps else None
        self.farewell = Farewell(self.spec, self.endpoint, self._fold, budget) if goodbye else None

    def _compile_dialogue(self, fold: Context) -> None:
        """The messages beside those of the turns."""
        spec = self.spec
        self._opening = [] if spec.greeting is None else [greeting_step(spec.greeting)]
        self._opening += [step_of(said, "hello", f"hello[{i}]", fold) for i, said in enumerate(spec.hello)]
        self._before = [step_of(said, "before", f"before[{i}]", fold) for i, said in enumerate(spec.before)]
        self.renders_late = any(step.awaited is not None for step in self._before)
        """Whether a turn's request may use what messages before it brought."""
        self.after = [Message(said, f"after[{i}]", fold) for i, said in enumerate(spec.after)]
        self.auto_replies = [AutoReply(said, f"auto_replies[{i}]", fold) for i, said in enumerate(spec.auto_replies)]
        self.keep_alive = None if spec.keep_alive is None else Message(spec.keep_alive, "keep_alive", fold)
        self.goodbye = [Message(said, f"goodbye[{i}]", fold) for i, said in enumerate(spec.goodbye)]

    def new_cookies(self) -> Cookies | None:
        """The cookies for a new conversation; None if cookies are not kept."""
        if self.spec.cookies == "none":
            return None
        return self.cookies if self.spec.cookies == "run" else Cookies(self.cookies)

    @property
    def secrets(self) -> list[str]:
        """Values that must not go to other places."""
        return [secret for value in self.spec.secrets.values() if (secret := value.get_secret_value())]

    @cached_property
    def unset_secrets(self) -> tuple[str, ...]:
        """Names of secrets that templates need and that are not set."""
        return missing_secrets(self.spec.frozen_dict(), self.spec.secrets.keys())

    @property
    def correlates(self) -> bool:
        """Whether each answer identifies its question, by protocol or by id."""
        return self.spec.protocol in ONE_ANSWER or self.tells_by_id

    @property
    def tells_by_id(self) -> bool:
        """Whether each answer contains the id of its question, so that answers cannot be confused."""
        return correlates(self.spec, self.response.text_kinds)

    def new_opening(self, say: Callable[[Message], object]) -> Dialogue | None:
        """What precedes the first turn on a new connection: the greeting, then the messages of `hello`. `say` sends
        one of them. None: nothing does."""
        return Dialogue(self._opening, say) if self._opening else None

    def new_before(self, say: Callable[[Message], object]) -> Dialogue | None:
        """The same of what precedes a turn's own message."""
        return Dialogue(self._before, say) if self._before else None

    def messages(self) -> list[Message]:
        """All that are sent beside the turns' own."""
        steps = [step.message for step in (*self._opening, *self._before) if step.message is not None]
        beats = [] if self.keep_alive is None else [self.keep_alive]
        return [*steps, *self.after, *(reply.message for reply in self.auto_replies), *beats, *self.goodbye]

    def render_message(self, message: Message, context: Context) -> RenderedRequest:
        """`context` holds session and saved, or is that of a turn. Raises BadRequest."""
        return message.render({**self._fold, **context})

    @property
    def original(self) -> CompiledTarget:
        """The target from which `with_params` made this one, or itself: for data shared by all conversations."""
        return self._original or self

    def with_params(self, params: Mapping[str, Any]) -> CompiledTarget:
        """The same target with other params; it must have been compiled with `params_vary`. Costs a shallow copy."""
        other = copy.copy(self)
        other._fold = {**self._fold, "params": params}
        other._original = self.original
        return other

    def render(self, context: dict[str, Any]) -> RenderedRequest:
        """The request of one turn. Raises BadRequest (nothing is sent then).

        `context` holds message (str), messages and history ([{role, content}]), session, saved, turn (from 0) and
        vars; `params` and `secret` are the target's own and are added to it.
        """
        context.update(self._fold)
        if self._names_message_id:
            context.setdefault("message_id", new_uuid())
        return self._request.render(context)

    def render_connection(self, context: Context) -> RenderedRequest:
        """Path and headers of a connection's first request: an upgrade, or the standing stream's request. `context`
        holds session and saved. Raises BadRequest."""
        return (self._standing or self._request).render_head({**self._fold, **context})

    def render_auth(self, context: Context) -> Any:
        """Socket.IO's CONNECT payload, None if there is none. Raises BadRequest."""
        value = value_of(self._auth, {**self._fold, **context})
        return None if value is MISSING else value

    def render_hello(self, context: Context) -> RenderedRequest | None:
        """Socket.IO's first event, None if there is none. Raises BadRequest."""
        return self._hello.render({**self._fold, **context}) if self._hello is not None else None

    def codecs(self, context: Context) -> Codecs | None:
        """A conversation's codecs, None if the target has none. Raises BadRequest."""
        return self._codecs.render({**self._fold, **context})
