"""Clients whose server is missing, silent, or another than they think."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import socket
import threading
from concurrent import futures

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from bignas_tf import errors
from tests.tools.servers import TIMEOUT_S, StandIn, free_port
from tools.serving import clients

pytestmark = pytest.mark.slow

# What no model of this project answers.
NOTHING = {"top_classes": [], "top_labels": [], "top_probabilities": []}


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_no_server_is_an_error_of_one_line(rest: bool) -> None:
    client = clients.connect(f"localhost:{free_port()}", "child", rest, TIMEOUT_S)
    with pytest.raises(errors.RunError, match=r"^localhost:\d+ gave no answer: UNAVAILABLE, .+$"):
        client.predict([b""])


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_a_server_that_does_not_answer_in_time_is_an_error(rest: bool) -> None:
    with socket.create_server(("localhost", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        client = clients.connect(address, "child", rest, 0.1)
        with contextlib.closing(client), pytest.raises(errors.RunError, match="gave no answer"):
            client.predict([b""])


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_a_model_of_another_kind_is_not_the_images_fault(
    rest: bool, tmp_path: pathlib.Path
) -> None:
    signature = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], name="x")])
    tf.saved_model.save(tf.Module(), str(tmp_path), {"serving_default": signature})
    words = r"refused the request: .*; is --model=child an export of"
    unfit = pytest.raises(errors.UsageError, match=words)
    with contextlib.closing(StandIn({"child": tmp_path})) as running, unfit as caught:
        address = running.rest if rest else running.grpc
        with contextlib.closing(clients.connect(address, "child", rest, TIMEOUT_S)) as client:
            client.predict([b""])
    assert not isinstance(caught.value, clients.RefusedError)


def test_addresses_of_other_kinds_are_understood() -> None:
    # Nothing listens there; a name that cannot be one must not end in a traceback either.
    for address, named in ((f"[::1]:{free_port()}", "::1"), ("a..b:8501", "a..b")):
        client = clients.connect(address, "child", True, TIMEOUT_S)
        with pytest.raises(errors.RunError, match=f"^{named}:") as caught:
            client.predict([b""])
        assert "Name or service not known" not in str(caught.value)


def test_a_damaged_graph_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(errors.UsageError, match=f"^{tmp_path} cannot be loaded as a SavedModel"):
        clients.LocalClient(str(tmp_path))


@pytest.mark.parametrize(
    "body",
    [
        *(b"hello", b"[]", b'{"predictions": [{}]}', b'{"predictions": []}', b"\xff"),
        json.dumps({"predictions": [NOTHING]}).encode(),
    ],
)
def test_another_server_is_an_error(body: bytes) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with http.server.HTTPServer(("localhost", 0), Handler) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        _misunderstood(f"localhost:{other.server_port}", rest=True)
        thread.join()


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"top_classes": [[1]], "top_labels": [[b"one"]]},
        {"top_classes": [[1]], "top_labels": [[1.5]], "top_probabilities": [[0.5]]},
        {"top_classes": [[1]], "top_labels": [[b"one", b"two"]], "top_probabilities": [[0.5]]},
        {"top_classes": [[1]] * 2, "top_labels": [[b"one"]] * 2, "top_probabilities": [[0.5]] * 2},
        {"top_classes": [[]], "top_labels": [[]], "top_probabilities": [[]]},
        {"top_classes": 1, "top_labels": b"one", "top_probabilities": 0.5},
    ],
)
def test_another_grpc_server_is_an_error(outputs: dict[str, object]) -> None:
    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, *_: object) -> predict_pb2.PredictResponse:  # noqa: N802
            response = predict_pb2.PredictResponse()
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    _misunderstood(f"localhost:{port}", rest=False)
    server.stop(None).wait()


def _misunderstood(address: str, rest: bool) -> None:
    client = clients.connect(address, "child", rest, TIMEOUT_S)
    unfit = pytest.raises(errors.RunError, match="does not answer as")
    with contextlib.closing(client), unfit:
        client.predict([b""])


@pytest.mark.parametrize(
    "address",
    [
        *("localhost", "localhost:", ":8500", "localhost:http", "h:65536"),
        *("http://localhost:8501", "local host:8500", "h:-1", "h:\uff18\uff15"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(errors.UsageError, match="is not an address such as localhost:8500"):
        clients.connect(address, "child", False, TIMEOUT_S)
