"""What every tool shares: exit codes, one line instead of a traceback, and quiet libraries."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pathlib
import platform
import re
import select
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from absl import app, flags, logging

from bignas_tf import commands, errors, files, full_disk, machine

from . import quiet

_INTERRUPTED, _UNREAD = 130, 141  # as shells have them
_STDOUT = 1  # its file descriptor
_LISTS = {"params_override": "a=1,b=2"}  # flags of text that are lists, too, and how they look
_CHECKS: list[Callable[[], None]] = []
_SEVERAL = re.compile(r"(Exactly|At most) one of \(([\w, ]+)\) must have a value other than None")
_UNKNOWN = re.compile("Unknown command line flag '(.+?)'")
_MISSING = re.compile(r"Flag --(\w+) must have a value other than None")
_UNLOADED = ("failed to map segment", os.strerror(errno.ENOMEM))  # of a library, as glibc says it


def launch(main: Callable[..., None], most_arguments: int = 0) -> None:
    """Runs `main` under absl: 0 success, 1 the run failed, 2 the user's mistake.

    Args:
      main: takes the arguments that are not flags, each as one of its own.
      most_arguments: how many of them it takes, before or after the flags.
    """
    # TensorFlow reads both when it is imported, which happens inside `main`. With the second it
    # imports tf_keras, which everything here uses, instead of Keras 3: a quarter of its start.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    quiet.tensorflow()
    flags.FLAGS.set_gnu_getopt()
    _translate_help()
    app.run(lambda argv: _guarded(main, argv[1:], most_arguments), flags_parser=_parse)


def when_read(check: Callable[[], None]) -> None:
    """Has a check called once all flags are read, before `main`; it raises `UsageError`."""
    _CHECKS.append(check)


def _translate_help() -> None:
    """Makes --help name the other tools as this installation does."""
    tool = sys.modules["__main__"]
    if tool.__doc__:
        tool.__doc__ = commands.translated(tool.__doc__)
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        needed = any(_MISSING.match(each.message) for each in flag.validators)
        flag.help = commands.translated(flag.help or "") + (" (required)" if needed else "")


def _parse(argv: Sequence[str]) -> list[str]:
    left: list[str] = []
    with reporting():
        try:
            for argument in argv:
                files.check_text(argument)
            left = flags.FLAGS(list(argv))
            _settle(argv)
            for check in _CHECKS:
                check()
            if not flags.FLAGS["verbosity"].present:
                # Libraries do not print between a tool's own lines.
                logging.set_verbosity(logging.ERROR)
        except flags.Error as error:
            raise errors.UsageError(_problem(str(error))) from None
        except SystemExit:
            # --help and its kin: absl has printed it and exits with 1; we exit with 0.
            _flush()
            raise SystemExit(0) from None
    return left


def _problem(said: str) -> str:
    """What is wrong with the flags, in other words than absl's where those puzzle."""
    if missing := _MISSING.search(said):
        return f"--{missing[1]} is missing; see --help"
    if (unknown := _UNKNOWN.match(said)) and os.path.exists(f"-{unknown[1]}"):
        return f"-{unknown[1]} is taken for a flag; name the file as ./-{unknown[1]}"
    if several := _SEVERAL.search(said):
        named = [f"--{name}" for name in several[2].split(", ")]
        return f"give {several[1].lower()} one of {', '.join(named[:-1])} and {named[-1]}"
    return said


def _settle(argv: Sequence[str]) -> None:
    """Refuses lists given twice, and folders without a name, as an unset variable gives.

    Expands `~`, which shells leave alone behind a flag's `=`.
    """
    line = [word.lstrip("-").split("=")[0] for word in itertools.takewhile("--".__ne__, argv)]
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        if not flag.present:
            continue
        # The line may replace a list of a --flagfile before it.
        replaced = line.count(name) == 1 and "flagfile" not in line[line.index(name) :]
        example = "a,b" if isinstance(flag.parser, flags.ListParser) else _LISTS.get(name)
        if flag.present > 1 and example and not replaced:
            raise errors.UsageError(
                f"--{name} is given {flag.present} times, of which only the last would count; give "
                f"it once, as in --{name}={example}"
            )
        if name.endswith("_dir") and flag.value in ("", [""]):
            raise errors.UsageError(f"--{name} is empty; '.' is the working directory")
        if isinstance(flag.value, str):
            flag.value = os.path.expanduser(flag.value)
        elif isinstance(flag.value, list):
            flag.value = [
                os.path.expanduser(each) if isinstance(each, str) else each for each in flag.value
            ]


def _guarded(main: Callable[..., None], arguments: Sequence[str], most_arguments: int) -> None:
    with reporting():
        if unexpected := list(arguments[most_arguments:]):
            raise errors.UsageError(f"unexpected arguments {unexpected}; see --help")
        main(*arguments)
        _flush()


def _flush() -> None:
    if sys.stdout is not None:  # the shell may have closed it: `>&-`
        sys.stdout.flush()


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Tells what goes wrong in a line, and ends with the exit code of its kind."""
    try:
        yield
    except (errors.UsageError, errors.RunError) as error:
        _exit(error, error.exit_code)
    except KeyboardInterrupt:
        _exit("interrupted", _INTERRUPTED)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_unread():
            sys.exit(_UNREAD)
        problem = _shortage(error)
        if not problem:
            raise
        _exit(problem, errors.RunError.exit_code)


def _is_unread() -> bool:
    """Whether nobody reads our output any more; what is left of it then goes nowhere."""
    output = select.poll()
    output.register(_STDOUT, select.POLLOUT)
    unread = any(event & select.POLLERR for _, event in output.poll(0))
    if unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
    return unread


def _shortage(error: Exception) -> str:
    """Says what ran out, disk, files or memory; "" if the error is a different one."""
    # A library's own file, such as one in a temporary folder.
    if why := full_disk.reason(error):
        return full_disk.message(why, getattr(error, "filename", None))
    if errors.lacks_files(error):
        return f"{errors.one_line(error)}; raise the limit of open files (ulimit -n)"
    if _is_short_of_memory(error):
        said = f" ({errors.one_line(error)})" if str(error) else ""
        return f"memory ran out{said}; smaller batches take less"
    if limit := machine.reached_limit():
        where = traceback.extract_tb(error.__traceback__)[-1]  # it may be a bug all the same
        said = f"{type(error).__name__}: {errors.one_line(error)}, line {where.lineno} of "
        return f"most likely memory ran out: {limit} ({said}{where.filename})"
    return ""


def _is_short_of_memory(error: Exception) -> bool:
    """Whether Python, TensorFlow, the system or its loader of libraries says so."""
    if isinstance(error, ImportError):
        return any(said in str(error) for said in _UNLOADED)
    return errors.is_out_of_memory(error)


def _exit(error: Exception | str, code: int) -> NoReturn:
    print(f"error: {commands.translated(str(error))}", file=sys.stderr)
    sys.exit(code)


def to_stderr(line: str) -> None:
    """Shows a line of progress, and keeps stdout for results, which scripts read."""
    print(line, file=sys.stderr, flush=True)


def note_command(folder: str) -> None:
    """Writes the command line and the versions of packages to a folder's `commands.FILE`."""
    versions = {"python": platform.python_version(), **machine.versions()}
    tool = commands.spelling(pathlib.Path(sys.argv[0]).stem)
    command = f"{tool} {shlex.join(sys.argv[1:])}"
    path = os.path.join(folder, commands.FILE)
    files.write_json(path, {"command": command, "versions": versions})
