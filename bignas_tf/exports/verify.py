"""The gate of every export: it must load and answer where servers would load it.

Python's loader is not proof enough. It accepts SavedModels whose variables the C++ session
loader cannot find, and TFLite silently turns such a model into NaNs. So an export is run
by `session`, in a process that has neither this project's layers nor Python's TensorFlow.
"""

from __future__ import annotations

import os
import pathlib
import pickle
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from google.protobuf import message as protobuf

from bignas_tf import errors, full_disk, scratch
from bignas_tf.exports import processes, versions

# An array for each input of a signature, by the input's name.
Feeds = Mapping[str, np.ndarray]
# The tensor names of inputs and of outputs, by their names in the signature.
Signature = tuple[dict[str, str], dict[str, str]]

LOGITS, FEATURES = "logits", "features"
_SESSION = pathlib.Path(__file__).resolve().with_name("session.py")


def verify_export(
    export_dir: str | os.PathLike[str],
    requests: Mapping[str, Feeds],
    expected_logits: np.ndarray,
    atol: float,
    classifier: Sequence[np.ndarray] = (),
) -> float:
    """Checks that the SavedModel, loaded by the C++ session loader, gives these logits.

    Args:
      export_dir: the folder that holds saved_model.pb.
      requests: what to feed to each signature, by its key: the same N images, each time in
        another form. A signature has one output, or one named 'logits'.
      expected_logits: float [N, num_classes].
      atol: the largest absolute difference allowed.
      classifier: kernel and bias, if a signature answers with 'features': those are right if the
        classifier makes the same logits of them.

    Returns:
      The largest absolute difference.

    Raises:
      RunError: it does not load, a signature does not run, or gives other logits.
    """
    answers = session_answers(export_dir, requests.items())
    return max(
        difference(export_dir, key, _classified(answer, classifier), expected_logits, atol)
        for key, answer in zip(requests, answers, strict=True)
    )


def session_answers(
    export_dir: str | os.PathLike[str], requests: Iterable[tuple[str, Feeds]]
) -> list[dict[str, np.ndarray] | str]:
    """Runs requests, one after the other, in one session of the C API's loader.

    Args:
      export_dir: the folder that holds saved_model.pb.
      requests: a signature's key, and an array for each of its inputs by the input's name. An
        array of strings has the dtype object.

    Returns:
      For each request its outputs by their names, or in one line the error it ended with.

    Raises:
      RunError: it does not load, or a request does not fit its signature.
    """
    folder, requests = pathlib.Path(export_dir).resolve(), list(requests)
    known = signatures(folder, [key for key, _ in requests])
    wanted = []
    for key, feeds in requests:
        inputs, outputs = known[key]
        if set(feeds) != set(inputs):
            raise _failure(folder, f"{key!r} takes {sorted(inputs)}; given {sorted(feeds)}")
        tensors = {inputs[name]: array for name, array in feeds.items()}
        wanted.append((tensors, list(outputs.values())))
    with scratch.temporary() as temporary, full_disk.explained(temporary):
        paths = [temporary / name for name in ("requests", "answers")]
        paths[0].write_bytes(pickle.dumps(wanted))
        try:
            processes.run([str(_SESSION), str(folder), *map(str, paths)])
        except errors.MachineError:
            raise
        except errors.RunError as error:
            raise _failure(folder, f"the session loader says: {error}") from error
        answers = pickle.loads(paths[1].read_bytes())
    return [
        answer if isinstance(answer, str) else dict(zip(known[key][1], answer, strict=True))
        for (key, _), answer in zip(requests, answers, strict=True)
    ]


def _classified(
    answer: dict[str, np.ndarray] | str, classifier: Sequence[np.ndarray]
) -> dict[str, np.ndarray] | str:
    """The answer; of one with features alone, the logits that they give."""
    if not classifier or isinstance(answer, str) or FEATURES not in answer:
        return answer
    kernel, bias = classifier
    return {LOGITS: answer[FEATURES] @ kernel + bias}


def difference(
    folder: str | os.PathLike[str],
    key: str,
    answer: dict[str, np.ndarray] | str,
    expected_logits: np.ndarray,
    atol: float,
) -> float:
    """How far a signature's logits are from those expected.

    Args:
      folder: of the export, for messages.
      key: of the signature.
      answer: of `session_answers`.
      expected_logits: float [N, num_classes].
      atol: the largest absolute difference allowed.

    Raises:
      RunError: they differ by more, or there are none.
    """
    if isinstance(answer, str):
        raise _failure(folder, f"{key!r}: the session loader says: {answer}")
    if len(answer) != 1 and LOGITS not in answer:
        raise _failure(folder, f"{key!r} has the outputs {sorted(answer)}; none is {LOGITS!r}")
    logits = answer[LOGITS] if LOGITS in answer else next(iter(answer.values()))
    if logits.shape != expected_logits.shape:
        shapes = f"{list(logits.shape)}, not {list(expected_logits.shape)}"
        raise _failure(folder, f"the logits of {key!r} have the shape {shapes}")
    largest = float(np.max(np.abs(logits - expected_logits), initial=0.0))
    # Written so that NaN, which is neither above nor below `atol`, fails.
    if not largest <= atol:
        allowed = f"{atol:.3g} is allowed"
        raise _failure(folder, f"the logits of {key!r} differ by up to {largest:.3g}; {allowed}")
    return largest


def signatures(folder: pathlib.Path, keys: Iterable[str]) -> dict[str, Signature]:
    """Reads a SavedModel's signatures of these keys.

    Raises:
      RunError: it cannot be read, or has no such signature.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        content = (folder / versions.GRAPH_FILE).read_bytes()
        graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    except OSError as error:
        raise _failure(folder, f"saved_model.pb cannot be read ({error.strerror})") from error
    except protobuf.DecodeError as error:
        raise _failure(folder, "saved_model.pb is damaged") from error
    serving = [graph for graph in graphs if "serve" in graph.meta_info_def.tags]
    known = dict(serving[0].signature_def) if serving else {}
    for key in keys:
        if key not in known:
            raise _failure(folder, f"it has no signature {key!r}, only {sorted(known)}")
    return {
        key: (
            {name: known[key].inputs[name].name for name in known[key].inputs},
            {name: known[key].outputs[name].name for name in known[key].outputs},
        )
        for key in keys
    }


def _failure(folder: str | os.PathLike[str], problem: str) -> errors.RunError:
    return errors.RunError(f"the export {os.fspath(folder)} failed verification: {problem}")
