"""Who may ask, and how much may be sent.

A page elsewhere can point a name of its own at this machine (DNS rebinding), or post
here from its own address. The first shows in the Host header, the second in Origin.
"""

import ipaddress
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_BYTES = 128 << 20  # of a request
_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; "
    b"script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    # With these two WebAssembly may have threads.
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-embedder-policy": b"require-corp",
    b"cache-control": b"no-store",
}


class TooLargeError(ValueError):
    """More was sent than a request may hold."""


class Guard:
    """ASGI middleware. `host` is where the server listens."""

    def __init__(self, app: Callable, host: str, refuse: Callable):
        self.app, self.refuse = app, refuse
        self.names = {*LOOPBACK, host}
        self.everywhere = host not in LOOPBACK

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        polite = _with_headers(send)
        reason = self._reason(headers)
        if reason:
            await self.refuse(reason, 403)(scope, receive, polite)
        elif int(headers.get(b"content-length", "0") or 0) > MOST_BYTES:
            await self.refuse(too_large(), 413)(scope, receive, polite)
        else:
            await self.app(scope, receive, polite)

    def _reason(self, headers):
        host = headers.get(b"host", "")
        if not self._known(host):
            return f"This studio does not answer to the name {host[:80]!r}."
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "Another page may not use this studio."
        if headers.get(b"sec-fetch-site") == "cross-site" and (
            headers.get(b"sec-fetch-mode") != "navigate"
        ):
            return "Another page may not use this studio."
        return None

    def _known(self, host):
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or (self.everywhere and _is_address(name))


def _is_address(name):
    """Addresses cannot be rebound; names can."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send):
    async def polite(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = {key.lower() for key, _ in message["headers"]}
            ours: Iterable = (h for h in _HEADERS.items() if h[0] not in given)
            message = message | {"headers": [*message["headers"], *ours]}
        await send(message)

    return polite


async def body(stream: AsyncIterator[bytes]) -> bytes:
    """All of a request; a TooLargeError where it is too much, whatever it said."""
    whole = bytearray()
    async for chunk in stream:
        whole += chunk
        if len(whole) > MOST_BYTES:
            raise TooLargeError(too_large())
    return bytes(whole)


def too_large() -> str:
    return f"That is larger than {MOST_BYTES >> 20} MiB: save it smaller."
