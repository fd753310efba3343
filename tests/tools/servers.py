"""Servers for tests: tensorflow_model_server, and a stand-in where that is not available.

The stand-in answers with the real SavedModel, over real sockets: the service of
tensorflow-serving-api with its protos, and REST with bodies held to what TensorFlow Serving's
documentation says. It shows that clients and models keep to the protocols; batching, versions and
warm-up it has not.
"""

from __future__ import annotations

import base64
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 60

Outputs = dict[str, np.ndarray]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A status that a server answers with."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Models:
    """Loaded versions by the names that a server has for them."""

    def __init__(self, folders: Mapping[str, pathlib.Path]) -> None:
        self._models = {name: tf.saved_model.load(str(path)) for name, path in folders.items()}

    def answer(self, name: str, key: str, arrays: Mapping[str, np.ndarray]) -> Outputs:
        """Runs a signature on arrays by the inputs' names."""
        if name not in self._models:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"Servable not found: {name}")
        signatures = self._models[name].signatures
        if key not in signatures:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Serving signature {key} not found")
        if set(arrays) != set(signatures[key].structured_input_signature[1]):
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"inputs {sorted(arrays)}")
        try:
            outputs = signatures[key](**{each: tf.constant(arrays[each]) for each in arrays})
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
        return {each: tensor.numpy() for each, tensor in outputs.items()}


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models) -> None:
        self._models = models

    def Predict(  # noqa: N802 - the protocol's name
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        spec = request.model_spec
        try:
            arrays = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        except (TypeError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        try:
            outputs = self._models.answer(spec.name, spec.signature_name, arrays)
        except Refusal as refusal:
            context.abort(refusal.code, str(refusal))
        response = predict_pb2.PredictResponse(model_spec=spec)
        for name in request.output_filter or outputs:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return response


def _handler(models: Models) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps the connection
        wbufsize = -1  # an answer in one packet: two would wait for each other, 40 ms

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer: dict[str, Any]
            try:
                status, answer = 200, {"predictions": _predictions(models, self.path, body)}
            except Refusal as refusal:
                status = 404 if refusal.code == grpc.StatusCode.NOT_FOUND else 400
                answer = {"error": str(refusal)}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    return Handler


def _predictions(models: Models, path: str, body: bytes) -> list[Any]:
    """The rows that answer a body in the row format, strictly read."""
    name, _, verb = path.removeprefix("/v1/models/").partition(":")
    if not path.startswith("/v1/models/") or verb != "predict":
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: POST {path}")
    try:
        value = json.loads(body)
        if set(value) != {"signature_name", "instances"} or not value["instances"]:
            raise ValueError(f"fields {sorted(value)}")
        # One input, so instances are its bare values; bytes are objects with the one key b64.
        images = [
            base64.b64decode(_only(each, "b64"), validate=True) for each in value["instances"]
        ]
    except (ValueError, TypeError) as error:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"JSON: {error}") from error
    arrays = {value["signature_name"]: np.array(images, object)}
    outputs = models.answer(name, value["signature_name"], arrays)
    rows = range(len(images))
    lists = {name: _json(array.tolist()) for name, array in outputs.items()}
    return [{name: each[row] for name, each in lists.items()} for row in rows]


def _only(value: dict[str, str], key: str) -> str:
    if set(value) != {key}:
        raise ValueError(f"{value} is not an object with the key {key}")
    return value[key]


def _json(value: Any) -> Any:
    """A value, or nested lists of them, with bytes as text."""
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


class StandIn:
    """Runs from its making to `close`; `grpc` and `rest` are its addresses."""

    def __init__(self, folders: Mapping[str, pathlib.Path]) -> None:
        models = Models(folders)
        self._grpc = grpc.server(futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Service(models), self._grpc
        )
        self.grpc = f"localhost:{self._grpc.add_insecure_port('localhost:0')}"
        self._grpc.start()
        self._http = http.server.ThreadingHTTPServer(("localhost", 0), _handler(models))
        self._http.daemon_threads = True
        self.rest = f"localhost:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class RealServer:
    """tensorflow_model_server as `tools.serving.start` starts it; see
    `StandIn`."""

    def __init__(self, base: pathlib.Path) -> None:
        ports = [free_port() for _ in range(2)]
        self.grpc, self.rest = (f"localhost:{port}" for port in ports)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tools.serving.start", f"--export_dir={base}"),
                *(f"--port={ports[0]}", f"--rest_port={ports[1]}"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if "Exporting HTTP/REST API" in line:  # its last word before it answers
                return
        raise AssertionError("".join(lines))

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=TIMEOUT_S)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
