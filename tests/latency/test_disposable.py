"""Calls in their own process: their results, their errors, and its end."""

from __future__ import annotations

import ctypes
import errno
import math
import multiprocessing.util
import operator
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import pytest

from bignas_tf import errors
from bignas_tf.latency.disposable import Disposable


@pytest.fixture
def elsewhere() -> Iterator[Disposable]:
    with Disposable(calls=2) as disposable:
        yield disposable


def test_the_process_ends_with_its_block_though_the_object_stays() -> None:
    with Disposable() as disposable:
        process = disposable(os.getpid)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_the_process_is_another_and_is_replaced(elsewhere: Disposable) -> None:
    processes = [elsewhere(os.getpid) for _ in range(3)]
    assert processes[0] == processes[1]
    assert len({os.getpid(), *processes}) == 3


def test_a_script_that_would_run_again_is_told_where_its_work_belongs(
    tmp_path: pathlib.Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from bignas_tf.latency.disposable import Disposable\n"
        "with Disposable() as disposable:\n"
        "    disposable(os.getpid)\n"
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    begun = 'call what measures in a file, below `if __name__ == "__main__":`'
    assert f"a process that this script started imports it again: {begun}" in done.stderr
    assert done.stderr.endswith(f"died with status 1; in a script, {begun}\n")
    assert list(temporary.iterdir()) == []


def test_a_call_that_is_interrupted_is_not_waited_for() -> None:
    """As by Ctrl-C, which that process ignores; it would wait for ever."""
    began = threading.Event()

    def interrupt() -> None:
        began.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def wait() -> None:
        with Disposable() as disposable:
            disposable(os.getpid)
            began.set()
            disposable(signal.pause)

    # What a shell starts in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            wait()
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()


def test_errors_come_back_and_the_process_goes_on(elsewhere: Disposable) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        elsewhere(operator.truediv, 1, 0)
    assert "in _serve" in caught.value.__notes__[0]
    assert elsewhere(operator.truediv, 1, 2) == 0.5


def test_a_death_is_told_and_mended(elsewhere: Disposable) -> None:
    with pytest.raises(errors.RunError, match="_exit: its process died with status 7"):
        elsewhere(os._exit, 7)
    assert elsewhere(operator.add, 1, 2) == 3


def test_a_process_that_something_has_ended_is_told(elsewhere: Disposable) -> None:
    with pytest.raises(errors.MachineError, match=r"died with status -15: something ended it$"):
        elsewhere(signal.raise_signal, signal.SIGTERM)
    assert elsewhere(operator.add, 1, 2) == 3


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_process_that_cannot_start_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Disposable(calls=1) as disposable:
        with monkeypatch.context() as patched:
            patched.setattr(multiprocessing.util, "spawnv_passfds", refused)
            expected = f"^no process can be started here: .*{os.strerror(number)}"
            with pytest.raises(errors.MachineError, match=expected):
                disposable(os.getpid)
        assert list(tmp_path.iterdir()) == []
        assert disposable(operator.add, 1, 2) == 3


class _UnsentError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


def _raise_unsent() -> None:
    raise _UnsentError("of this child")


def test_no_answer_is_taken_for_that_to_another_call(elsewhere: Disposable) -> None:
    with pytest.raises(AttributeError, match="local object"):
        elsewhere(math.sqrt, lambda: None)  # cannot be sent
    assert [elsewhere(math.sqrt, float(n)) for n in (4, 9, 16)] == [2, 3, 4]


def test_what_ends_a_call_is_of_the_call_however_it_ends(elsewhere: Disposable) -> None:
    """Of a process that never began the search ends; of a child it goes on."""
    with pytest.raises(RuntimeError, match=r"^_UnsentError: of this child$"):
        elsewhere(_raise_unsent)
    for _ in range(2):  # the second time in a process that has answered before
        with pytest.raises(errors.RunError, match=r"died with status 1$") as caught:
            elsewhere(os._exit, 1)
        assert not isinstance(caught.value, errors.MachineError)
        assert elsewhere(operator.add, 1, 2) == 3


def test_a_kill_is_told_as_a_lack_of_memory(elsewhere: Disposable) -> None:
    killed = r"raise_signal: its process died with status -9, killed, .* memory ran out"
    with pytest.raises(errors.OutOfMemoryError, match=killed):
        elsewhere(signal.raise_signal, signal.SIGKILL)
    assert elsewhere(operator.add, 1, 2) == 3


def _ask_for_an_exbibyte() -> None:
    new = ctypes.CDLL("libstdc++.so.6")["_Znwm"]  # C++'s operator new
    new.argtypes = [ctypes.c_size_t]
    new(1 << 60)


def test_memory_that_cpp_cannot_have_is_told_as_a_lack_of_it(elsewhere: Disposable) -> None:
    aborted = "_ask_for_an_exbibyte: its process died with status -6, aborted: .*std::bad_alloc"
    with pytest.raises(errors.OutOfMemoryError, match=aborted):
        elsewhere(_ask_for_an_exbibyte)
    assert elsewhere(operator.add, 1, 2) == 3


def _abort() -> None:
    os.write(2, b"F a.cc:1] Check failed: cannot go on\n*** Check failure stack trace: ***\n")
    os.write(2, b"  @ 0x7f0 (unknown)\n" * 50)
    os.abort()


def test_an_abort_is_told_with_its_last_words(elsewhere: Disposable) -> None:
    said = r"_abort: .* status -6, aborted: .*Check failed: cannot go on$"
    with pytest.raises(errors.RunError, match=said) as caught:
        elsewhere(_abort)
    assert not isinstance(caught.value, errors.OutOfMemoryError)


def test_the_process_sees_no_gpu_and_no_tpu(elsewhere: Disposable) -> None:
    assert elsewhere(os.getenv, "CUDA_VISIBLE_DEVICES") == "-1"
    assert elsewhere(os.getenv, "TPU_LOAD_LIBRARY") == "0"


def test_the_process_ends_with_the_one_that_started_it() -> None:
    program = (
        "import os; from bignas_tf.latency.disposable import Disposable\n"
        "print(Disposable()(os.getpid), flush=True); os.kill(os.getpid(), 9)"
    )
    # Its output ends once no process holds it, the measuring one among them.
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -9
    assert int(done.stdout) > 0
