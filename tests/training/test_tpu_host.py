"""The generation of the TPU that this machine is a host of."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

import pytest

from bignas_tf.training import tpu_host


@contextlib.contextmanager
def _metadata(accelerator_type: str | None) -> Iterator[str]:
    """Google's metadata server on this machine, of an instance that may have no TPU."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = "/computeMetadata/v1/instance/attributes/accelerator-type"
            known = self.path == asked and self.headers["Metadata-Flavor"] == "Google"
            body = accelerator_type.encode() if known and accelerator_type else b"not found"
            self.send_response(200 if body != b"not found" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("accelerator_type", "generation"),
    [("v3-8", "v3"), ("v2-128\n", "v2"), ("v5litepod-16", "v5e"), ("v5p-8", "v5p"), (None, "")],
)
def test_the_metadata_server_says_it(
    monkeypatch: pytest.MonkeyPatch, accelerator_type: str | None, generation: str
) -> None:
    monkeypatch.delenv("TPU_ACCELERATOR_TYPE", raising=False)
    monkeypatch.setattr(tpu_host, "_TIMEOUT_S", 60)
    with _metadata(accelerator_type) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server)
        assert tpu_host.generation() == generation


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v6e-8")
    with _metadata("v3-8") as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server)
        assert tpu_host.generation() == "v6e"


@pytest.mark.parametrize("server", ["localhost:1", "no such host", "host:port", ""])
def test_no_server_is_no_error(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.delenv("TPU_ACCELERATOR_TYPE", raising=False)
    monkeypatch.setenv("GCE_METADATA_HOST", server)
    assert tpu_host.generation() == ""
