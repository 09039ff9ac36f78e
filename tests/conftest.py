import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from colorlib import cli
from colorlib.data import Packed


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Sums depend on how many threads share them, and toys need no more than one."""
    torch.set_num_threads(1)


@pytest.fixture
def toy_photographs() -> Packed:
    """Eight 16 x 16 photographs whose colour can be told from their texture.

    Even ones are red with vertical stripes, odd ones blue with horizontal stripes.
    """
    random = np.random.default_rng(0)
    pixels = np.zeros((8, 16, 16, 3), np.uint8)
    for i, photo in enumerate(pixels):
        light = random.integers(60, 120)
        photo[:] = (light + 60, light, light) if i % 2 == 0 else (light, light, light + 60)
        stripes = photo[:, ::4] if i % 2 == 0 else photo[::4]
        stripes[:] += 60
    return Packed(pixels, tuple(f"toy-{i}" for i in range(8)), "toy", np.arange(8))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and no data but the library's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COLORLIB_CACHE", str(folder))
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    return folder


@pytest.fixture
def server():
    """Answers every request with `server.body`, and breaks off after `server.sent` bytes.

    What was asked for is in `server.asked`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.body
            self.server.asked.append(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: self.server.sent])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body, server.sent, server.asked = b"", None, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def run(monkeypatch, capfd, cache):
    """Call the command line in this process: (status, stdout, stderr)."""

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            sys.exit(0)
        return stop.value.code or 0, *capfd.readouterr()

    return call
