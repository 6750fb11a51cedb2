"""A laptop's Web PubSub: the hub that open pages and desks are connected to, and that the app publishes to.

It speaks the service's own protocols, so that app and clients are the same as in Azure: its REST API, as far as the app
uses it, and the WebSocket subprotocol `json.webpubsub.azure.v1`. All is in memory: who was connected connects anew.

https://learn.microsoft.com/azure/azure-web-pubsub/reference-json-webpubsub-subprotocol
https://learn.microsoft.com/rest/api/webpubsub/
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from starlette.types import Receive, Scope, Send

from shared import telemetry
from shared.push.channel import PROTOCOL

MAX_BODY = 1024 * 1024
"""Bytes of one message, as of the service."""
MAX_CLIENT_FRAME = 64 * 1024
"""Bytes of what a client says; ours say next to nothing."""
MAX_WAITING = 256
"""Frames that wait for a client that does not read them; then it is disconnected."""
MAX_ACKS = 1000
"""Ids of a connection's requests that are remembered, to carry none out twice."""

_CLIENT = re.compile(r"/client/hubs/(?P<hub>\w+)")
_TO_GROUP = re.compile(r"/api/hubs/(?P<hub>\w+)/groups/(?P<group>.+)/:send")
_TOKEN = re.compile(r"/api/hubs/(?P<hub>\w+)/:generateToken")

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


class _Refused(Exception):
    """`status` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Client:
    """One connection. What is told to it waits here until it reads."""

    def __init__(self, hub: str, roles: Sequence[str], user_id: str | None) -> None:
        self.id = uuid.uuid4().hex
        self.hub = hub
        self.user_id = user_id
        self.groups: set[str] = set()
        self._roles = frozenset(roles)
        self._acks: deque[int] = deque(maxlen=MAX_ACKS)
        self._waiting: deque[str] = deque()
        self._code: int | None = None
        self._news = asyncio.Event()

    def may(self, permission: str, group: str) -> bool:
        return not self._roles.isdisjoint((f"webpubsub.{permission}", f"webpubsub.{permission}.{group}"))

    def is_new(self, ack_id: int | None) -> bool:
        if ack_id is None:
            return True
        if ack_id in self._acks:
            return False
        self._acks.append(ack_id)
        return True

    def tell(self, text: str) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self.end(TRY_AGAIN_LATER)
        elif self._code is None:
            self._waiting.append(text)
            self._news.set()

    def end(self, code: int) -> None:
        """Disconnect it, after what it was told before."""
        self._code = code
        self._news.set()

    async def write(self, send: Send) -> None:
        """Until it is to be disconnected, or the connection is lost."""
        while True:
            while self._waiting:
                await send({"type": "websocket.send", "text": self._waiting.popleft()})
            if self._code is not None:
                await send({"type": "websocket.close", "code": self._code})
                return
            self._news.clear()
            await self._news.wait()


class Hub:
    """An ASGI app. `key` signs the tokens of clients and of the app. `token`, if set, is one of Microsoft Entra ID that
    the app may send in place of its own."""

    def __init__(self, key: str) -> None:
        self.token: str | None = None
        self._key = key
        self._groups: dict[tuple[str, str], set[_Client]] = {}
        self._clients: set[_Client] = set()

    @property
    def connections(self) -> int:
        return len(self._clients)

    def answers(self, path: str) -> bool:
        """Whether a path is the hub's."""
        return path.startswith(("/client/hubs/", "/api/hubs/")) or path == "/api/health"

    def cut(self) -> None:
        """Disconnect everybody."""
        for client in self._clients:
            client.end(TRY_AGAIN_LATER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    # ---- clients

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            hub, claims = self._admitted(scope)
        except _Refused as refused:
            await send({"type": "websocket.http.response.start", "status": refused.status, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        client = _Client(hub, _texts(claims.get("role")), claims.get("sub"))
        self._clients.add(client)
        telemetry.push_connections.add(1)
        for group in _texts(claims.get("webpubsub.group")):
            self._join(client, group)
        client.tell(_system("connected", userId=client.user_id, connectionId=client.id))
        expiry = asyncio.get_running_loop().call_later(claims["exp"] - time.time(), client.end, POLICY_VIOLATION)
        tasks = [asyncio.create_task(client.write(send)), asyncio.create_task(self._listen(client, receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            expiry.cancel()
            self._clients.discard(client)
            telemetry.push_connections.add(-1)
            for group in list(client.groups):
                self._leave(client, group)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _admitted(self, scope: Scope) -> tuple[str, Mapping[str, Any]]:
        if not (match := _CLIENT.fullmatch(scope["path"])):
            raise _Refused(404)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("access_token") or [_bearer(scope)]
        claims = self._claims(given[0], scope["path"])
        if PROTOCOL not in scope["subprotocols"]:
            raise _Refused(400)
        return match["hub"], claims

    async def _listen(self, client: _Client, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            try:
                self._obey(client, json.loads(message.get("text") or ""))
            except (ValueError, TypeError, KeyError, AttributeError):
                client.tell(_system("disconnected", message="The request could not be read."))
                client.end(POLICY_VIOLATION)

    def _obey(self, client: _Client, said: Mapping[str, Any]) -> None:
        kind, ack_id = said["type"], said.get("ackId")
        if kind == "ping":
            client.tell(json.dumps({"type": "pong"}))
            return
        error = self._carry_out(client, kind, said) if client.is_new(ack_id) else "Duplicate"
        if ack_id is not None:
            told = {"error": {"name": error, "message": f"{kind}: {error}"}} if error else {}
            client.tell(json.dumps({"type": "ack", "ackId": ack_id, "success": error is None} | told))

    def _carry_out(self, client: _Client, kind: str, said: Mapping[str, Any]) -> str | None:
        """What went wrong. Raises `ValueError` for what is no request."""
        if kind == "event":
            return "NotFound"  # nobody handles clients' events here
        permissions = {"joinGroup": "joinLeaveGroup", "leaveGroup": "joinLeaveGroup", "sendToGroup": "sendToGroup"}
        if kind not in permissions:
            raise ValueError(kind)
        group = str(said["group"])
        if not client.may(permissions[kind], group):
            return "Forbidden"
        match kind:
            case "joinGroup":
                self._join(client, group)
            case "leaveGroup":
                self._leave(client, group)
            case _:
                silent = client if said.get("noEcho") else None
                self._publish(client.hub, group, said["data"], said["dataType"], sender=client, silent=silent)
        return None

    def _join(self, client: _Client, group: str) -> None:
        client.groups.add(group)
        self._groups.setdefault((client.hub, group), set()).add(client)

    def _leave(self, client: _Client, group: str) -> None:
        client.groups.discard(group)
        members = self._groups.get((client.hub, group), set())
        members.discard(client)
        if not members:
            self._groups.pop((client.hub, group), None)

    def _publish(
        self,
        hub: str,
        group: str,
        data: object,
        data_type: str,
        *,
        sender: _Client | None = None,
        silent: _Client | None = None,
    ) -> None:
        by = {"fromUserId": sender.user_id} if sender and sender.user_id else {}
        told = {"type": "message", "from": "group", "group": group, "dataType": data_type, "data": data} | by
        text = json.dumps(told, ensure_ascii=False)
        for client in self._groups.get((hub, group), set()) - {silent}:
            client.tell(text)

    # ---- the app

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, status, answer = scope["path"], 202, b""
        try:
            if path == "/api/health":
                status = 200
            elif match := _TO_GROUP.fullmatch(path):
                self._authorise(scope)
                kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
                data, data_type = _content(await _body(receive), kind)
                self._publish(match["hub"], match["group"], data, data_type)
            elif match := _TOKEN.fullmatch(path):
                self._authorise(scope)
                status, answer = 200, json.dumps({"token": self._issue(match["hub"], scope)}).encode()
            else:
                status = 404
        except _Refused as refused:
            status = refused.status
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _authorise(self, scope: Scope) -> None:
        if scope["method"] != "POST":
            raise _Refused(405)
        token = _bearer(scope)
        if self.token is None or token != self.token:
            self._claims(token, scope["path"])

    def _claims(self, token: str, path: str) -> Mapping[str, Any]:
        """Of a token for this path and no other: a client's is none of the app's. Raises `_Refused`."""
        try:
            options: Any = {"require": ["aud", "exp"], "verify_aud": False}
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options=options)
            if urlsplit(claims["aud"]).path == path:
                return claims
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            pass
        raise _Refused(401)

    def _issue(self, hub: str, scope: Scope) -> str:
        asked, host = parse_qs(scope["query_string"].decode("latin-1")), dict(scope["headers"])[b"host"].decode()
        claims: dict[str, Any] = {
            "aud": f"{scope['scheme']}://{host}/client/hubs/{hub}",
            "iat": int(time.time()),
            "exp": int(time.time()) + 60 * int(asked.get("minutesToExpire", ["60"])[0]),
            "role": asked.get("role", []),
            "webpubsub.group": asked.get("group", []),
        }
        if "userId" in asked:
            claims["sub"] = asked["userId"][0]
        return jwt.encode(claims, self._key, algorithm="HS256")


def _bearer(scope: Scope) -> str:
    return dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")


def _texts(claim: object) -> list[str]:
    """A claim that is one text or several."""
    if isinstance(claim, str):
        return [claim]
    return [str(one) for one in claim] if isinstance(claim, list) else []


def _system(event: str, **fields: str | None) -> str:
    return json.dumps({"type": "system", "event": event} | fields)


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise _Refused(413)
    return body


def _content(body: bytes, media_type: str) -> tuple[object, str]:
    with suppress(ValueError):
        if media_type.startswith("application/json"):
            return json.loads(body), "json"
        if media_type.startswith("text/plain"):
            return body.decode(), "text"
    raise _Refused(400)
