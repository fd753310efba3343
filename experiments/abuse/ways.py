"""Three ways to ask a served child: the C++ session, gRPC and REST.

The servers are the stand-in of the tests, in Python: what is shown is that the SavedModel and the
protocols survive, not that TensorFlow Serving does.
"""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Protocol

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from bignas_tf import errors
from bignas_tf.exports import session, verify
from experiments.abuse.odd_requests import Feeds, odd_bytes, odd_feeds

_TIMEOUT_S = 60
_MODEL = "model"
_METHOD = "/tensorflow.serving.PredictionService/Predict"


class Way(Protocol):
    """One way into a served child."""

    def odd(self, rng: np.random.Generator, good: bytes) -> str:
        """Sends an odd request, and says how it ended: 'answered' or 'refused'."""

    def good(self, image: bytes) -> np.ndarray:
        """The probabilities of an image, float32 [classes]."""

    def resident_mb(self) -> float:
        """Memory of the serving process."""

    def close(self) -> None:
        """Ends the server."""


class InSession:
    """The C++ session, in a process that has nothing but that."""

    def __init__(self, version: pathlib.Path) -> None:
        keys = ("image_bytes", "serving_default", "float_images", "patches")
        self._signatures = verify.signatures(version, keys)
        loop = pathlib.Path(__file__).with_name("session_loop.py")
        folder = pathlib.Path(session.__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(loop), str(folder), str(version)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._resident_mb = 0.0

    def odd(self, rng: np.random.Generator, good: bytes) -> str:
        """See `Way`."""
        return "refused" if isinstance(self._ask(*odd_feeds(rng, good)), str) else "answered"

    def good(self, image: bytes) -> np.ndarray:
        """See `Way`."""
        answer = self._ask("image_bytes", {"image_bytes": np.array([image], object)})
        outputs = list(self._signatures["image_bytes"][1])
        return np.asarray(answer[outputs.index("probabilities")][0])

    def _ask(self, key: str, feeds: Feeds) -> Any:
        inputs, outputs = self._signatures[key]
        request = {inputs[name]: array for name, array in feeds.items()}, list(outputs.values())
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        answer, self._resident_mb = pickle.load(self._process.stdout)
        return answer

    def resident_mb(self) -> float:
        """See `Way`."""
        return self._resident_mb

    def close(self) -> None:
        """See `Way`."""
        self._process.kill()
        self._process.communicate()


class _Served:
    """The stand-in server of the tests, in this process."""

    def __init__(self, version: pathlib.Path) -> None:
        from tests.tools import servers

        self.server = servers.StandIn({_MODEL: version})

    def resident_mb(self) -> float:
        """See `Way`."""
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def close(self) -> None:
        """See `Way`."""
        self.server.close()


class OverGrpc(_Served):
    """Messages of the protocol, damaged as values or as bytes."""

    def __init__(self, version: pathlib.Path) -> None:
        super().__init__(version)
        channel = grpc.insecure_channel(self.server.grpc)
        self._predict = channel.unary_unary(_METHOD)  # bytes to bytes

    def odd(self, rng: np.random.Generator, good: bytes) -> str:
        """See `Way`."""
        message = bytearray(self._message(*odd_feeds(rng, good)))
        if rng.random() < 0.4:
            for place in rng.integers(0, len(message), rng.integers(1, 5)):
                message[place] ^= int(rng.integers(1, 256))
        try:
            self._predict(bytes(message), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                raise
            return "refused"
        return "answered"

    def good(self, image: bytes) -> np.ndarray:
        """See `Way`."""
        message = self._message("image_bytes", {"image_bytes": np.array([image], object)})
        answer = predict_pb2.PredictResponse.FromString(self._predict(message, timeout=_TIMEOUT_S))
        return np.asarray(tf.make_ndarray(answer.outputs["probabilities"])[0])

    def _message(self, key: str, feeds: Feeds) -> bytes:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = _MODEL, key
        for name, array in feeds.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        return bytes(request.SerializeToString())


class OverRest(_Served):
    """Bodies of JSON, damaged as values or as text."""

    def odd(self, rng: np.random.Generator, good: bytes) -> str:
        """See `Way`."""

        encoded = base64.b64encode(odd_bytes(rng, good)).decode()
        instance: Any = {"b64": encoded if rng.random() < 0.8 else encoded[:-1]}
        odd = [instance, encoded, {}, None, [instance], {"b64": 7}, 1e308, {"b64": "", "x": 1}]
        chosen = instance if rng.random() < 0.6 else odd[rng.integers(len(odd))]
        value: Any = {"signature_name": "image_bytes", "instances": [chosen]}
        if rng.random() < 0.1:
            value = [value, {}, None, {"instances": []}, {"inputs": 1}][rng.integers(5)]
        body = bytearray(json.dumps(value).encode())
        if rng.random() < 0.3:
            body[rng.integers(len(body))] ^= int(rng.integers(1, 256))
        status, _ = self._post(bytes(body))
        if status not in (200, 400, 404):
            raise http.client.HTTPException(f"status {status}")
        return "answered" if status == 200 else "refused"

    def good(self, image: bytes) -> np.ndarray:
        """See `Way`."""

        instance = {"b64": base64.b64encode(image).decode()}
        body = {"signature_name": "image_bytes", "instances": [instance]}
        status, answer = self._post(json.dumps(body).encode())
        if status != 200:
            raise errors.RunError(f"a good request got status {status}: {answer[:200]!r}")
        return np.array(json.loads(answer)["predictions"][0]["probabilities"])

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.server.rest, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", f"/v1/models/{_MODEL}:predict", body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


WAYS: dict[str, Callable[[pathlib.Path], Way]] = {
    "session": InSession,
    "grpc": OverGrpc,
    "rest": OverRest,
}
