"""Puts a TFDS data set on disk: by download, or from Debian's archive where its site is down."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import tensorflow_datasets as tfds

from bignas_tf import console, errors, files, full_disk, locking, scratch
from bignas_tf.console import Show
from bignas_tf.data import sources

_PROBE_SECONDS = 5
_APT_SECONDS = 180
_DEBIAN_PACKAGE = "dataset-fashion-mnist"
# When each published file was packed. Debian's are the same gzip streams with name and time
# stripped from the header (`gzip -n`); with both back, TFDS' checksums match.
_PACKED_AT = {
    "t10k-images-idx3-ubyte.gz": 1504176627,
    "t10k-labels-idx1-ubyte.gz": 1504176627,
    "train-images-idx3-ubyte.gz": 1504176606,
    "train-labels-idx1-ubyte.gz": 1504176606,
}
_GZIP_NAMED = b"\x1f\x8b\x08\x08"  # magic number, deflate, "a file name follows"
_HALF_LOADED = re.compile(r".+\.tmp\.[0-9a-f]{32}")  # TFDS' name for a folder of one download
_HALF_UNPACKED = "incomplete."  # with which TFDS' name for what it unpacks begins
_HEAD_REFUSED = (401, 403, 405, 501)  # the site is up, it only refuses HEAD requests
_FALL_BACK = "; a training can do without it: --params_override=task.train_data.source=digits"


def prepare(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    manual_dir: str | os.PathLike[str] | None = None,
    *,
    show: Show | None = console.print_line,
) -> None:
    """Prepares a TFDS data set, unless it is there already.

    Args:
      dataset: TFDS name, such as "fashion_mnist".
      data_dir: where TFDS keeps its data sets; None is TFDS' own default.
      manual_dir: a folder of files that a user has to get by hand, such as ImageNet's; None
        to download.
      show: takes lines of progress; None for silence.

    Raises:
      UsageError: TFDS has no such data set, another process is preparing it, or the folder
        cannot be written to.
      RunError: no source has it.
    """
    show = console.or_silent(show)
    root = None if data_dir is None else os.fspath(data_dir)
    builder = sources.tfds_builder(dataset, root)

    def make() -> None:
        if manual_dir is None:
            _fetch(builder, show)
        else:
            make_from(builder, os.fspath(manual_dir))

    once(dataset, builder, make, show)


def once(
    dataset: str, builder: tfds.core.DatasetBuilder, make: Callable[[], None], show: Show
) -> None:
    """Makes a data set, alone, unless it is there already.

    Args:
      dataset: its name, for messages.
      builder: of the data set.
      make: writes it.
      show: takes lines of progress.

    Raises:
      UsageError: another process is preparing it, or the folder cannot be written to.
    """
    folder = str(builder.data_dir)
    if builder.is_prepared():
        show(f"{dataset} is already prepared in {folder}")
        return
    files.make_folder(os.path.dirname(folder))
    with _alone(builder, show):
        make()
    show(f"{dataset} is prepared in {folder}")


@contextlib.contextmanager
def _alone(builder: tfds.core.DatasetBuilder, show: Show) -> Iterator[None]:
    """Keeps others from preparing the data set, and removes what a kill has left of it.

    Buckets and some file systems have no locks: nobody is kept out there, and nothing is removed.
    """
    root = os.fspath(builder.data_dir_root)
    if files.is_remote(root):
        yield
        return
    place = os.path.join(root, builder.name)
    with locking.locked(place, "a prepare_data", "data_dir", required=False) as unlocked:
        if unlocked:
            show(f"{unlocked}: make sure that nothing else prepares {builder.name} there")
        else:
            _sweep(builder)
        yield


def _sweep(builder: tfds.core.DatasetBuilder) -> None:
    """Removes TFDS' unfinished folders of the data set; only its lock tells that nobody writes."""
    version = pathlib.Path(builder.data_dir)
    left = [*version.parent.glob(f"incomplete.??????_{version.name}")]
    downloads = pathlib.Path(builder.data_dir_root, "downloads", builder.name)
    left += [path for path, _ in files.walk(downloads) if _HALF_LOADED.fullmatch(path.name)]
    left += pathlib.Path(_unpacked(builder)).glob(f"{_HALF_UNPACKED}*")
    for path in left:
        scratch.remove(path)


def _unpacked(builder: tfds.core.DatasetBuilder) -> str:
    """Where archives are unpacked: not with those of other data sets, of the same names perhaps."""
    root = os.fspath(builder.data_dir_root)
    return os.path.join(root, "downloads", "extracted", str(builder.name))


def _make(builder: tfds.core.DatasetBuilder, manual_dir: str | None = None) -> None:
    """Lets TFDS do it.

    Raises:
      RunError: there is no room; other failures as TFDS raises them.
    """
    config = tfds.download.DownloadConfig(extract_dir=_unpacked(builder), manual_dir=manual_dir)
    with full_disk.explained(builder.data_dir):
        builder.download_and_prepare(download_config=config)


def restore_gzip_header(stripped: bytes, name: str, packed_at: int) -> bytes:
    """Gives a `gzip -n` stream its name and time back.

    Args:
      stripped: a gzip stream whose header has no optional fields.
      name: the file name that was packed, without ".gz".
      packed_at: seconds since 1970.
    """
    time = packed_at.to_bytes(4, "little")
    return _GZIP_NAMED + time + stripped[8:10] + name.encode() + b"\0" + stripped[10:]


def _fetch(builder: tfds.core.DatasetBuilder, show: Show) -> None:
    """Downloads, or takes Debian's copy where the site does not answer."""
    problems = []
    unreachable = _unreachable(builder)
    if unreachable is None:
        try:
            _make(builder)
            return
        except errors.RunError:  # no room, and none for another copy
            raise
        except Exception as error:  # TFDS raises whatever its downloader met
            problems.append(f"download failed ({_reason(error)})")
    else:
        problems.append(unreachable)
    if builder.name == "fashion_mnist":
        show(f"{problems[0]}; trying Debian's package {_DEBIAN_PACKAGE}")
        try:
            _prepare_from_debian(builder)
            return
        except (OSError, subprocess.SubprocessError, errors.RunError) as error:
            problems.append(f"Debian's package failed ({errors.one_line(error)})")
    instead = _FALL_BACK if builder.name == "fashion_mnist" else ""
    raise errors.RunError(f"{builder.name} could not be prepared: {'; '.join(problems)}{instead}")


def make_from(builder: tfds.core.DatasetBuilder, folder: str, manual: bool = True) -> None:
    """Makes a data set from files in a folder, which TFDS may look into (`manual`).

    Raises:
      RunError: there is no room, or TFDS cannot make it from these files.
    """
    try:
        _make(builder, folder if manual else None)
    except errors.RunError:
        raise
    except Exception as error:  # TFDS raises whatever it met: a missing file, another checksum
        problem = f"{builder.name} could not be prepared from {folder}: {_reason(error)}"
        raise errors.failure(error, problem) from error


def _reason(error: Exception) -> str:
    """What TFDS met, in a line; of a lack of memory it may say nothing."""
    said = errors.one_line(error)
    return f"memory ran out ({said})" if errors.is_out_of_memory(error) else said


def _unreachable(builder: tfds.core.DatasetBuilder) -> str | None:
    """Why the data set's site cannot be reached, or None if it answered.

    Asked for one header, with a time limit: TFDS' own downloader waits for ever.
    """
    # None where TFDS has no checksums of a data set.
    urls = [url for url in builder.url_infos or () if url.startswith("http")]
    if not urls:
        return None
    request = urllib.request.Request(urls[0], method="HEAD")
    try:
        urllib.request.build_opener().open(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code not in _HEAD_REFUSED:
            return f"{urls[0]} answered {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        return f"{urls[0]} cannot be reached ({errors.one_line(error)})"
    return None


def _prepare_from_debian(builder: tfds.core.DatasetBuilder) -> None:
    """Prepares Fashion-MNIST from Debian's package; TFDS still checks every checksum."""
    with scratch.temporary() as work:
        package = _download_package(work)
        _run(["dpkg", "-x", str(package), str(work / "unpacked")], work)
        manual = work / "manual"
        manual.mkdir()
        stripped = work / "unpacked" / "usr" / "share" / "datasets" / "fashion-mnist"
        for name, packed_at in _PACKED_AT.items():
            restored = restore_gzip_header(
                (stripped / name).read_bytes(), name.removesuffix(".gz"), packed_at
            )
            (manual / name).write_bytes(restored)
        make_from(builder, str(manual))


def _download_package(work: pathlib.Path) -> pathlib.Path:
    """Fetches the package into `work`; no root needed."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise OSError(f"{tool} is not installed")
    try:
        _run(["apt-get", "download", _DEBIAN_PACKAGE], work)
    except subprocess.SubprocessError:
        # A fresh container has no package lists: read them into our own folder.
        (work / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
        (work / "cache" / "archives" / "partial").mkdir(parents=True)
        _run(["apt-get", *own, "update"], work)
        _run(["apt-get", *own, "download", _DEBIAN_PACKAGE], work)
    return next(work.glob(f"{_DEBIAN_PACKAGE}_*.deb"))


def _run(command: list[str], folder: pathlib.Path) -> None:
    quick = ["-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]
    if command[0] == "apt-get":
        command = [command[0], *quick, *command[1:]]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=_APT_SECONDS,
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or [str(error)]
        raise subprocess.SubprocessError(f"{command[0]}: {reason[0]}") from error
