"""The two kinds of failure a tool reports without a traceback, and values in their messages."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Collection, Iterable

_MOST_OF_A_NAME = 100  # that is compared with others
_ASSERTED = re.compile(r"assertion failed: \[(.*?)\]")
_UNSHOWN = "a value too large to show"
# A GPU's memory was too full for a copy from the host. TensorFlow calls that an InternalError.
_NO_ROOM_FOR_A_COPY = "Dst tensor is not initialized"
# dnnl_out_of_memory: oneDNN's, which TensorFlow on a CPU calls an AbortedError.
_NO_ROOM_FOR_ONEDNN = "Status: 1, message: could not create"
# What C++ and TensorFlow say where memory for an object, or for a thread, cannot be had.
_NO_ROOM_IN_CPP = ("std::bad_alloc", "pthread_create() failed", "can't start new thread")


class UsageError(ValueError):
    """A mistake in what the user gave.

    The message is one line: what was given, what is allowed, how to fix it.

    Attributes:
      exit_code: with which a tool ends.
    """

    exit_code = 2


class RunError(RuntimeError):
    """A run that could not continue (NaN loss, failed verification).

    Attributes:
      exit_code: with which a tool ends.
    """

    exit_code = 1


class OutOfMemoryError(RunError):
    """A run for which this machine had too little memory; another time, or elsewhere, it may do."""


class MachineError(RunError):
    """A failure of this machine, such as a process that was ended; of its work it says nothing."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or TensorFlow raised the error because a device, or the host, lacks memory.

    Or what it was raised from. By the names of TensorFlow's exceptions, because it may not be
    imported.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return _is_short_of_memory(error) or (cause is not None and is_out_of_memory(cause))


def _is_short_of_memory(error: BaseException) -> bool:
    name = type(error).__name__
    said = {"InternalError": _NO_ROOM_FOR_A_COPY, "AbortedError": _NO_ROOM_FOR_ONEDNN}.get(name)
    no_room = said is not None and said in str(error)
    if lacks_files(error):  # TensorFlow has one name for both
        return False
    named = name == "ResourceExhaustedError" or isinstance(error, MemoryError)
    refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return no_room or named or refused or says_no_memory(str(error))


def lacks_files(error: BaseException) -> bool:
    """Whether too many files are open, in this process or on the machine."""
    return any(os.strerror(code) in str(error) for code in (errno.EMFILE, errno.ENFILE))


def says_no_memory(text: str) -> bool:
    """Whether a library's words are those of a lack of memory."""
    return any(words in text for words in _NO_ROOM_IN_CPP)


def failure(error: BaseException, message: str) -> RunError:
    """The failure that another library's error is; `OutOfMemoryError` if memory ran out."""
    return (OutOfMemoryError if is_out_of_memory(error) else RunError)(message)


def require(fits: bool, name: str, value: object, takes: str) -> None:
    """Refuses a value that does not fit.

    Args:
      fits: whether it does.
      name: of the field or argument.
      value: that was given.
      takes: what is allowed, as in "0 or more".

    Raises:
      UsageError: it does not.
    """
    if not fits:
        raise UsageError(f"{name} is {shown(value)}; it takes {takes}")


def require_one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Refuses a value that is none of those allowed, and names one like it; see `require`."""
    choices = list(allowed)  # a value without a hash may be asked for, too
    if value not in choices:
        hint = did_you_mean(value, choices)
        raise UsageError(f"{name} is {shown(value)}; choose from {choices}{hint}")


def require_path(name: str, value: str | os.PathLike[str]) -> str:
    """Returns a path as text.

    Args:
      name: of the argument.
      value: that was given.

    Raises:
      UsageError: it is something else, such as None.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise UsageError(f"{name} is {shown(value)}; it takes a path")
    require("\0" not in path, name, path, "no NUL")
    return path


def did_you_mean(given: object, known: Iterable[object], end: str = "") -> str:
    """The end of a message: "; did you mean 'x'?" of the text most like it, "" if none is.

    Args:
      given: what is not known.
      known: what is.
      end: of all names, such as ".yaml", which makes none like another.
    """
    texts = [each.removesuffix(end) for each in known if isinstance(each, str)]
    name = cut(given.removesuffix(end), _MOST_OF_A_NAME) if isinstance(given, str) else ""
    near = difflib.get_close_matches(name, texts, 1)
    return f"; did you mean {near[0] + end!r}?" if near else ""


def one_line(error: BaseException | str, most: int = 300) -> str:
    """An error of another library in one line, as our messages quote it.

    Args:
      error: the exception, or its text.
      most: characters; a longer text ends in " ...".

    Returns:
      The text with its line breaks as spaces; the name of the exception's type if it has none.
    """
    return cut(" ".join(str(error).split()) or type(error).__name__, most)


def own_words(message: str) -> str:
    """What a graph of ours says in an error of TensorFlow; "" if the error is a different one."""
    said = _ASSERTED.search(message)
    return said[1] if said else ""


def shown(value: object, most: int = 60) -> str:
    """A value as messages show it: its `repr` in one line, cut to `most` characters."""
    if isinstance(value, list | tuple):  # it may hold thousands of images
        value = value[:most]
    try:
        return cut(" ".join(map(str.strip, repr(value).splitlines())), most)
    except (ValueError, RecursionError):  # ValueError: an integer of more than 4300 digits
        return _UNSHOWN


def cut(text: str, most: int) -> str:
    """Text of at most `most` characters; a longer one ends in " ..."."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."
