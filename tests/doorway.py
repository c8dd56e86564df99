"""A doorway before a server: to whoever comes through it the server is away while it is closed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from tests.waiting import free_port

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection, as when the process was killed


class Doorway:
    """Passes TCP connections on to a port of this machine.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.loses_answers = False  # what is asked arrives, and the answer does not
        self._server = port
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        """Let everybody through."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Let nobody through, and end what has come through, wherever it is."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in list(self._open):
            self._end(end)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                asker, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                self._end(asker)
                continue
            self._open |= {asker, server}
            for way in ((asker, server, False), (server, asker, True)):
                threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self.loses_answers:
                    break
                target.sendall(data)
        self._end(source)
        self._end(target)

    def _end(self, end: socket.socket) -> None:
        self._open.discard(end)
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            end.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            end.close()
