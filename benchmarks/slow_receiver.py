"""Receivers that take their time: one port whose answers come after a while, and others that never answer.

``python -m benchmarks.slow_receiver DELAY_S SILENT`` prints its ports, the answering one first, and runs until it ends.
"""

from __future__ import annotations

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _read(reader: asyncio.StreamReader) -> bool:
    """Read one request; False when the caller has hung up."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    length = next((line[15:] for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    await reader.readexactly(int(length))
    return True


async def serve(delay_s: float, silent: int) -> None:
    """Listen on all ports, for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _read(reader):
            await asyncio.sleep(delay_s)
            writer.write(ANSWER)
        writer.close()

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _read(reader):
            pass
        writer.close()

    handlers = [answer, *[ignore] * silent]
    servers = [await asyncio.start_server(handler, "127.0.0.1", 0, backlog=512) for handler in handlers]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), int(sys.argv[2])))
