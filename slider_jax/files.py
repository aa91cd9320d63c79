"""Files that are there whole or not at all, and are what was released."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A path to write to; what is there takes its place when all went well.

    A link's file is replaced, not the link; a device is refused, for it would be gone.
    """
    path = pathlib.Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file: name another.")
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield scratch
        scratch.replace(path)
    except OSError as error:
        if error.errno != errno.ENOSPC and error.filename != str(scratch):
            raise
        raise OSError(
            f"{path} cannot be written ({error.strerror}): check the folder, its "
            "permissions and the room on the disk."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()


def check_free(path: pathlib.Path, force: bool) -> None:
    """The door of a command with --out and --force."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it.")
    if path.exists() and not force:
        raise FileExistsError(
            f"{path} is there already: --force replaces it, --out names another."
        )


def make_folder(path: str | os.PathLike) -> None:
    """The one that a file shall lie in, `path`."""
    be_folder(pathlib.Path(path).parent)


def be_folder(folder: str | os.PathLike) -> None:
    """Makes it, unless it is there."""
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"{folder} cannot be made a folder ({error.strerror}): name another."
        ) from error


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """An object that a program of ours wrote."""
    try:
        content = json.loads(pathlib.Path(path).read_text())
    except ValueError as error:
        content = error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} is damaged ({content}): restore it, or use another folder."
        )
    return content


RESTORE = "install slider_jax again, or restore it with git"


def sums(folder: pathlib.Path) -> dict[str, str]:
    """Digests by name, from the folder's SHA256SUMS (as sha256sum writes it)."""
    path = folder / "SHA256SUMS"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {RESTORE}.")
    pairs = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line]
    return {name.lstrip("*"): digest for digest, name in pairs}


def compare(path: pathlib.Path, digest: str) -> str:
    """In words: `well`, or what is wrong with the file."""
    if not path.is_file():
        return "missing"
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return "well" if found == digest else "not the file that was released"
