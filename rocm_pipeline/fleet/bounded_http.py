"""HTTP whose answers have an end: no server fills the memory of who asks it."""

import json
from collections.abc import AsyncIterator

import httpx

MAX_BYTES = 16 << 20
"""Of an answer that is read whole, and of one line of a stream."""


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Ends an answer with a ValueError where it gets too large."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # a few compressed bytes may stand for any number of others
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        if "content-encoding" in response.headers:
            await response.aclose()
            raise ValueError("it compresses its answer unasked")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        by_line = response.is_success and _asks_for_stream(request)
        response.stream = _Bounded(response.stream, by_line=by_line)
        return response


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, *, by_line: bool) -> None:
        self._stream = stream
        self._by_line = by_line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = 0
        async for chunk in self._stream:
            _, newline, rest = chunk.rpartition(b"\n")
            held = len(rest) if newline and self._by_line else held + len(chunk)
            if held > MAX_BYTES:
                raise ValueError(f"it sent more than {MAX_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _asks_for_stream(request: httpx.Request) -> bool:
    return bool(request.content) and json.loads(request.content).get("stream") is True
