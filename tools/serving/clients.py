"""Clients that classify image files: in this process, over gRPC or over REST."""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.parse
from collections.abc import Sequence
from typing import Protocol

from absl import flags

from bignas_tf import errors, image_files
from bignas_tf.api import predicting
from bignas_tf.api.predicting import SIGNATURE, Prediction
from bignas_tf.exports.versions import ANSWERED_BY, BEST

flags.disclaim_key_flags()  # they are the tool's own, and `--help` of the tool shows them
# A name, an IPv4 address or an IPv6 one in brackets; then a port.
_ADDRESS = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})", re.ASCII)
_HTTP = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "FAILED_PRECONDITION": 412}  # of gRPC, in HTTP
# What reading an answer of another form raises.
_MISFIT = (ValueError, KeyError, TypeError, AttributeError)


class RefusedError(errors.UsageError):
    """An image cannot be read, or the model does not take it; the message counts from 0."""


class Client(Protocol):
    """Classifies encoded images."""

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Classifies JPEG or PNG files.

        Raises:
          RefusedError: an image is not one.
          UsageError: there is no such model.
          RunError: no answer, or none that can be read.
        """

    def close(self) -> None:
        """Ends the connection, if there is one."""


def define_flags(required: bool = True) -> None:
    """Defines --server, --rest, --model and --timeout_s.

    Args:
      required: whether the tool needs --server.
    """
    flags.DEFINE_string("server", None, "Address of a server, host:port.", required=required)
    flags.DEFINE_bool("rest", False, "Speak REST to the server, not gRPC.")
    flags.DEFINE_string("model", "child", "Which of the server's models to ask.")
    flags.DEFINE_float("timeout_s", 60, "Seconds to wait for an answer.", 0.001, 86400)


def of_flags() -> Client:
    """A client as the flags say; see `connect`."""
    given = flags.FLAGS
    return connect(given.server, given.model, given.rest, given.timeout_s)


def require_images(paths: Sequence[str]) -> None:
    """Refuses a command line without images.

    Raises:
      UsageError: there is none.
    """
    if not paths:
        raise errors.UsageError("no image was given; name at least one PNG or JPEG file")


def connect(server: str, model: str, rest: bool, timeout_s: float) -> Client:
    """A client of the server at 'host:port'.

    Raises:
      UsageError: the address cannot be read.
    """
    address = _ADDRESS.fullmatch(server)
    if not address or int(address[2]) > 65535:
        raise errors.UsageError(f"--server: {server!r} is not an address such as localhost:8500")
    if rest:
        return RestClient(address[1].strip("[]"), int(address[2]), model, timeout_s)
    return GrpcClient(server, model, timeout_s)


def read(path: str) -> bytes:
    """An image file's content.

    Raises:
      RefusedError: it cannot be read.
    """
    try:
        return image_files.read(path)
    except errors.UsageError as error:
        raise RefusedError(str(error)) from error


def classify(client: Client, path: str, image: bytes) -> Prediction:
    """Classifies one image; a refusal names its file. See `Client.predict`."""
    try:
        (answer,) = client.predict([image])
    except RefusedError as error:
        raise RefusedError(f"{path} {str(error).removeprefix('image 0 ')}") from error
    return answer


class LocalClient:
    """Loads a version's folder into this process."""

    def __init__(self, folder: str) -> None:
        self._classifier = predicting.Classifier(folder)

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """See `Client`."""
        try:
            return self._classifier.predict(images)
        except errors.UsageError as error:
            raise RefusedError(str(error)) from error

    def close(self) -> None:
        """See `Client`."""


class GrpcClient:
    """Speaks the protocol of tensorflow-serving-api."""

    def __init__(self, server: str, model: str, timeout_s: float) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        limits = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        options = [*((limit, -1) for limit in limits), ("grpc.use_local_subchannel_pool", 1)]
        # That pool is this client's own: others to the same server would share its connection.
        self._channel = grpc.insecure_channel(server, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._server, self._model, self._timeout_s = server, model, timeout_s
        self._outputs: list[str] = []  # all, until an answer says which there are

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """See `Client`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(output_filter=self._outputs)
        request.model_spec.name = self._model
        request.model_spec.signature_name = SIGNATURE
        tensor = tf.make_tensor_proto(list(images), tf.string, [len(images)])
        request.inputs[SIGNATURE].CopyFrom(tensor)
        try:
            response = self._stub.Predict(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            self._outputs = []  # a new version may not have those of the one before
            code = error.code()
            status = _HTTP.get(code.name, code.name)
            raise _failure(self._server, self._model, status, error.details() or "") from error
        try:
            arrays = {name: tf.make_ndarray(each) for name, each in response.outputs.items()}
            answers = _checked(Prediction.of(arrays), len(images))
            self._outputs = [name for name in (*BEST, ANSWERED_BY) if name in arrays]
            return answers
        except _MISFIT as error:
            raise _foreign(self._server, str(response)) from error

    def close(self) -> None:
        """See `Client`."""
        self._channel.close()


class RestClient:
    """Speaks the JSON of TensorFlow Serving's REST interface, over one connection."""

    def __init__(self, host: str, port: int, model: str, timeout_s: float) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        self._server, self._model = f"{host}:{port}", model

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """See `Client`."""
        instances = [{"b64": base64.b64encode(image).decode()} for image in images]
        body = json.dumps({"signature_name": SIGNATURE, "instances": instances})
        path = f"/v1/models/{urllib.parse.quote(self._model, safe='')}:predict"
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens a new one
            problem = str(error) or type(error).__name__
            raise _failure(self._server, self._model, "UNAVAILABLE", problem) from error
        if response.status != http.client.OK:
            raise _failure(self._server, self._model, response.status, text)
        return _parse(text, len(images), self._server)

    def close(self) -> None:
        """See `Client`."""
        self._connection.close()


def _parse(text: str, count: int, server: str) -> list[Prediction]:
    """Reads {"predictions": [{output: [...], ...}, ...]}, one for each image."""
    try:
        rows = json.loads(text)["predictions"]
        found = [[*(row[name] for name in BEST), row.get(ANSWERED_BY)] for row in rows]
        return _checked([Prediction(*row) for row in found], count)
    except _MISFIT as error:
        raise _foreign(server, text) from error


def _checked(answers: list[Prediction], count: int) -> list[Prediction]:
    """Returns the answers, which must be one an image, each with as many labels as classes."""
    lengths = [{len(row.classes), len(row.labels), len(row.probabilities)} for row in answers]
    if len(answers) != count or any(len(each) != 1 or 0 in each for each in lengths):
        raise ValueError("expected lists of other lengths")
    return answers


def _foreign(server: str, answer: str) -> errors.RunError:
    said = errors.one_line(answer or "no outputs")
    return errors.RunError(f"{server} does not answer as tools.export's models do: {said}")


def _failure(server: str, model: str, status: int | str, message: str) -> Exception:
    """The error to raise for a status of HTTP, or for the name of one of gRPC."""
    if status == 400 and (refusal := errors.own_words(message)):
        return RefusedError(refusal)
    reason = errors.one_line(message)
    if status in (400, 412):
        return errors.UsageError(
            f"{server} refused the request: {reason}; is --model={model} an export of tools.export?"
        )
    if status == 404:
        return errors.UsageError(
            f"--model: {server} does not serve {model!r} ({reason}); models.config of the export "
            "has the names"
        )
    return errors.RunError(f"{server} gave no answer: {status}, {reason}")
