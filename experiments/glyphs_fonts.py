"""The fonts of experiments/glyphs.py: packages of Debian, each known by its hash.

`experiments/glyphs_fonts.json` lists them: a package's version, SHA-256 and path in Debian's
pool, and for each font the family it belongs to. Fonts of one package whose names begin alike are
one family, and so are fonts of any package whose letters are all but the same (5% of the ink
differs at most): Liberation Sans is Arimo, DejaVu Sans is Bitstream Vera. Of fonts that differ in
weight or style alone, the four that differ most were taken. Symbols, Greek letters in the
places of Latin ones, and unreadable letters were left out by eye.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence

from bignas_tf import errors, files

TABLE = pathlib.Path(__file__).with_suffix(".json")
_MIRROR = "https://deb.debian.org/debian"
_SNAPSHOT = "https://snapshot.debian.org/archive/debian"
_WEB_SECONDS = 30
_APT_SECONDS = 600
_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60


@dataclasses.dataclass(frozen=True)
class Package:
    """A Debian package of fonts.

    Attributes:
      name: its name.
      version: the version whose hash is known.
      sha256: of the .deb file, hexadecimal.
      path: of the .deb file below a mirror's root.
      folder: where the fonts lie in the package.
      fonts: path of each font below `folder` -> name of its family.
    """

    name: str
    version: str
    sha256: str
    path: str
    folder: str
    fonts: dict[str, str]

    @property
    def file_name(self) -> str:
        """Of the .deb file."""
        return os.path.basename(self.path)


@dataclasses.dataclass(frozen=True)
class Table:
    """What `glyphs_fonts.json` holds.

    Attributes:
      release: the release of Debian that has these versions.
      snapshot: a time at which snapshot.debian.org has all of them.
      pixels_sha256: hash over all images that these fonts gave, hexadecimal.
      packages: by name, ascending.
    """

    release: str
    snapshot: str
    pixels_sha256: str
    packages: tuple[Package, ...]


def read_table(path: str | os.PathLike[str] = TABLE) -> Table:
    """Reads a table of packages.

    Raises:
      UsageError: the file is missing or its fields are not those of a table.
    """
    fields = files.read_json(path)
    try:
        packages = [Package(name=name, **rest) for name, rest in fields.pop("packages").items()]
        return Table(**fields, packages=tuple(sorted(packages, key=lambda each: each.name)))
    except (AttributeError, KeyError, TypeError) as error:
        raise errors.UsageError(
            f"{os.fspath(path)} is not a table of packages ({error})"
        ) from error


def fetch(table: Table, folder: pathlib.Path) -> None:
    """Puts every package that is missing into `folder`: from apt, or else from the web.

    Raises:
      UsageError: a file of `folder` is not the package that its name promises.
      RunError: a package with the hash of the table could not be downloaded.
    """
    for package in table.packages:
        path = folder / package.file_name
        if path.exists() and _sha256(path.read_bytes()) != package.sha256:
            raise errors.UsageError(
                f"{path} is not {package.name} {package.version}: its SHA-256 is not the one in "
                "the table; delete the file to download it"
            )
    problem = _fetch_with_apt(_missing(table, folder), folder)
    missing = _missing(table, folder)
    if missing:
        print(f"{len(missing)} packages come from {_MIRROR}; apt: {problem}", flush=True)
    for package in missing:
        _fetch_from_web(package, table, folder)


def unpack(package: Package, folder: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Gives the name and the content of each font that the table lists, sorted by name."""
    archive = io.BytesIO(_data_archive((folder / package.file_name).read_bytes()))
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=archive) as members:
        for member in members:
            name = os.path.relpath(member.name, package.folder)
            stream = members.extractfile(member) if name in package.fonts else None
            if stream is not None:
                found[name] = stream.read()
    if found.keys() != package.fonts.keys():
        lacking = sorted(package.fonts.keys() - found.keys())
        raise errors.UsageError(f"{package.name} {package.version} has no {', '.join(lacking)}")
    yield from sorted(found.items())


def _missing(table: Table, folder: pathlib.Path) -> list[Package]:
    return [each for each in table.packages if not (folder / each.file_name).exists()]


def _fetch_with_apt(packages: Sequence[Package], folder: pathlib.Path) -> str:
    """Downloads what apt has in the right version; needs no root.

    Returns:
      why it did not get all, for the user.
    """
    if not packages:
        return ""
    if not (shutil.which("apt-get") and shutil.which("apt-cache")):
        return "not installed"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".apt-") as scratch:
        try:
            listed = _run(["apt-cache", "madison", *(each.name for each in packages)], scratch)
            offered = {tuple(part.strip() for part in line.split("|")[:2]) for line in listed}
            wanted = [each for each in packages if (each.name, each.version) in offered]
            if wanted:
                names = [f"{each.name}={each.version}" for each in wanted]
                _run(["apt-get", "download", *names], scratch)
        except subprocess.SubprocessError as error:
            return f"failed ({error})"
        for package in wanted:
            for path in pathlib.Path(scratch).glob(f"{package.name}_*.deb"):
                if _sha256(path.read_bytes()) == package.sha256:
                    os.replace(path, folder / package.file_name)
    return f"has {len(wanted)} of {len(packages)} in the versions of the table"


def _run(command: list[str], folder: str) -> list[str]:
    """The lines that a command prints.

    Raises:
      SubprocessError: it failed or took too long; the message is its last line.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, timeout=_APT_SECONDS,
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or [str(error)]
        raise subprocess.SubprocessError(reason[0]) from error
    return done.stdout.splitlines()


def _fetch_from_web(package: Package, table: Table, folder: pathlib.Path) -> None:
    """Downloads a package from Debian's mirror, or from its archive of old versions."""
    problems = []
    for root in (_MIRROR, f"{_SNAPSHOT}/{table.snapshot}"):
        try:
            with urllib.request.urlopen(f"{root}/{package.path}", timeout=_WEB_SECONDS) as answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:  # or it broke off
            problems.append(f"{root}: {error}")
            continue
        if _sha256(content) == package.sha256:
            part = folder / f".{package.file_name}.part"
            part.write_bytes(content)
            os.replace(part, folder / package.file_name)
            return
        problems.append(f"{root}: another SHA-256")
    raise errors.RunError(
        f"{package.name} {package.version} ({table.release}) could not be downloaded "
        f"({'; '.join(problems)}), and another version may draw other images; get "
        f"{package.file_name} elsewhere and name its folder with --packages_dir"
    )


def _data_archive(deb: bytes) -> bytes:
    """The member of a .deb file (an `ar` archive) that holds the files of the package."""
    place = len(_AR_MAGIC)
    while place < len(deb):
        name = deb[place : place + 16].strip()
        size = int(deb[place + 48 : place + 58])
        place += _AR_HEADER
        if name.startswith(b"data.tar"):
            return deb[place : place + size]
        place += size + size % 2
    raise errors.RunError("a .deb file holds no data.tar")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
