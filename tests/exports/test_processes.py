"""A process that fails tells why, in one line."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors, files
from bignas_tf.exports import processes


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('error: no such signature')", "no such signature"),
        ("raise KeyError('logits')", "KeyError: 'logits'"),
        ("import os; os.abort()", "exit status -6"),
        (r"import os; os.write(2, b'\xff'); os._exit(1)", "\ufffd"),
    ],
    ids=["its own words", "a traceback", "a crash", "no text"],
)
def test_a_failure_is_an_error_of_one_line(code: str, message: str) -> None:
    with pytest.raises(errors.RunError) as caught:
        processes.run(["-c", code])
    assert str(caught.value) == message


@pytest.mark.parametrize("number", [9, 15])
def test_a_process_that_was_ended_is_no_failure_of_its_work(number: int) -> None:
    with pytest.raises(errors.MachineError, match=f"was ended .status -{number}.; try again"):
        processes.run(["-c", f"import os; os.kill(os.getpid(), {number})"])


def test_a_conversation_goes_on_while_the_process_lives() -> None:
    code = (
        "import sys\n"
        "for line in sys.stdin:\n"
        "    if line == 'bad\\n': sys.exit('error: that was bad')\n"
        "    print('noise'); print('done', flush=True)"
    )
    with processes.conversation(["-c", code]) as process:
        for line in ("one", "two"):
            process.ask(line)
        for _ in range(2):
            with pytest.raises(errors.RunError, match=r"^that was bad$"):
                process.ask("bad")


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_TIMEOUT_S", 0.1)
    code = "import sys; sys.stdin.read()"
    with (
        processes.conversation(["-c", code]) as process,
        pytest.raises(errors.RunError, match="it took over"),
    ):
        process.ask("anything")


def test_it_sees_no_gpu_no_tpu_and_not_the_folder_it_is_in(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What tools/gcp/host sets for a tool that drives the chips.
    monkeypatch.setenv("TF_PLUGGABLE_DEVICE_LIBRARY_PATH", "/of/libtpu.so")
    seen = tmp_path / "seen.json"
    what = f"[{{name: os.environ[name] for name in {list(processes.ON_CPU)}}}, sys.path]"
    processes.run(["-c", f"import json, os, sys; json.dump({what}, open({str(seen)!r}, 'w'))"])
    environment, path = files.read_json(seen)
    assert environment == {
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "",
        "TPU_LOAD_LIBRARY": "0",
    }
    assert "" not in path
