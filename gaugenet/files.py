"""Writing files: never half a file, never over an input, and never over an existing file unless requested."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import pickle
import platform
import re
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

UNREADABLE = (
    *(RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(pickle.UnpicklingError, struct.error, zipfile.BadZipFile),
)
"""What `torch.load` raises for damaged files, depending on the bytes."""


class OutputError(ValueError):
    """An output that would replace an input, another output, or an existing file."""


def check_outputs(outputs: Iterable[str | Path], *, inputs: Iterable[str | Path] = (), overwrite: bool = False) -> None:
    """Refuse outputs that would overwrite something; commands call this before they read or compute anything.

    Two names of one file (links, `..`, upper and lower case on a disk that ignores case) count as one file. An input
    that is a folder, such as a Zarr store, covers everything in it.

    Args:
        outputs: all files that will be written.
        inputs: all files and stores that will be read.
        overwrite: allow outputs that exist. Inputs are never replaced.

    Raises:
        OutputError: If an output is an input or lies in one, two outputs are one file, an output exists, or its folder
            is a file.
    """
    read = {_identity(Path(path)): Path(path) for path in inputs}
    written: dict[object, Path] = {}
    for path in map(Path, outputs):
        source = next((read[i] for i in map(_identity, (path, *path.absolute().parents)) if i in read), None)
        if source is not None:
            raise OutputError(f"The output {path} would overwrite the input {source}: choose another name for it.")
        other = written.setdefault(_identity(path), path)
        if other is not path:
            raise OutputError(f"Two outputs have one name, {path}: choose another name for one of them.")
        if path.is_dir():
            raise OutputError(f"Expected a file to write, got the folder {path}.")
        blocked = next((parent for parent in path.parents if parent.exists()), path.parent)
        if blocked.exists() and not blocked.is_dir():
            raise OutputError(f"Expected a folder for {path}, got the file {blocked}: choose another output.")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} already exists: replace it with --overwrite, or choose another output.")


def check_results(
    folder: str | Path,
    names: Iterable[str],
    *,
    last: Iterable[str] = (),
    inputs: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> None:
    """Refuse an evaluation that would replace an earlier one, or files of another origin.

    Args:
        folder: where the results go.
        names: files that will be written there.
        last: those of `names` that always belong to the last evaluation, for example pictures. They are replaced if
            the folder holds an evaluation, `evaluation_*.json`, which shows that they are earlier results.
        inputs: as in `check_outputs`; an input that is one of `names` is an earlier result in the folder of a run.
        overwrite: as in `check_outputs`.

    Raises:
        OutputError: As in `check_outputs`.
    """
    folder = Path(folder)
    replaced = set(last) if any(folder.glob("evaluation_*.json")) else set()
    written = [folder / name for name in names]
    read = [path for path in map(Path, inputs) if path not in written]
    check_outputs((path for path in written if path.name not in replaced), inputs=read, overwrite=overwrite)


def _identity(path: Path) -> object:
    """Return what all names of a file share: its place on the disk, or its resolved name if it does not exist yet."""
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return found.st_dev, found.st_ino


def unique_names(stems: Sequence[str]) -> list[str]:
    """Return names for outputs; where several files have the same stem, the later ones get a number."""
    names: list[str] = []
    for stem in stems:
        candidates = [stem, *(f"{stem}-{k}" for k in range(2, len(stems) + 1))]
        names.append(next(c for c in candidates if c not in names))
    return names


def files_in(folder: str | Path) -> list[Path]:
    """Return the files directly in a folder; an empty list if there is no such folder."""
    folder = Path(folder)
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def reason_unread(error: Exception) -> str:
    """Return in one line why a file of tensors was not read.

    The advice of torch to load a file despite the code in it is not passed on.
    """
    if isinstance(error, pickle.UnpicklingError):
        return "it holds something other than tensors and plain values, which is never loaded"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


@contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Report a full or failing disk, and the file, where a library reports something else.

    Raises:
        OSError: If the block could not write.
    """
    try:
        yield
    except Exception as error:
        known = ("inline_container", "PytorchStreamWriter", "os error 28", "No space left")
        named = isinstance(error, OSError) and (error.filename is not None or error.errno != errno.ENOSPC)
        if named or not any(text in str(error) for text in known):
            raise
        raise OSError(errno.ENOSPC, "No space left on the disk, or it failed, while writing", str(path)) from error


def refuse_pickled_store(store: str | Path) -> None:
    """Refuse a Zarr store with an array that is coded as Python objects: decoding one runs what is in the file.

    Raises:
        ValueError: If there is such an array.
    """
    names = (".zmetadata", "zarr.json", "*/.zarray", "*/zarr.json")
    for file in (file for name in names for file in Path(store).glob(name)):
        if _names_pickle(json.loads(file.read_text(encoding="utf-8"))):
            raise ValueError(f"{file.name} codes an array as Python objects (pickle), which are never loaded")


def _names_pickle(value: Any) -> bool:
    if isinstance(value, dict):
        codec = str(value.get("id", value.get("name", ""))).rpartition(".")[2]
        return codec == "pickle" or any(map(_names_pickle, value.values()))
    return isinstance(value, list) and any(map(_names_pickle, value))


def read_npy(path: str | Path) -> Any:
    """Read an array of numbers from a `.npy` file that is as long as its header says.

    Raises:
        ValueError: If the file is truncated, is not an array, or holds objects.
        OSError: If it cannot be read.
    """
    with open(path, "rb") as file:
        return _read_array(file, os.fstat(file.fileno()).st_size)


def read_npz(path: str | Path, *names: str) -> list[Any]:
    """Read arrays of numbers from a `.npz` file, with the checks of `read_npy`.

    Raises:
        ValueError: If the file is damaged, or lacks an array.
        OSError: If it cannot be read.
    """
    import zipfile
    import zlib

    arrays = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                member = archive.getinfo(f"{name}.npy")
                with archive.open(member) as file:
                    arrays.append(_read_array(file, member.file_size))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
        raise ValueError(_first_line(error)) from error
    return arrays


def _read_array(file: Any, size: int) -> Any:
    import numpy as np

    start = file.read(12)
    if start[:6] != b"\x93NUMPY" or start[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it is not a .npy file of version 1 to 3")
    if int.from_bytes(start[8 : 10 if start[6] == 1 else 12], "little") > size:
        raise ValueError("it ends in its header")
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except Exception as error:  # numpy evaluates the header as a literal, which may fail in many ways
        raise ValueError(f"its header is not that of a .npy file: {_first_line(error)}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or found < expected:
        raise ValueError(f"its header announces {expected:,} bytes of shape {shape}, and {found:,} follow")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def atomic_path(path: str | Path, *, synchronize: bool = True) -> Iterator[Path]:
    """Yield a temporary name next to `path`; the file is renamed to `path` when the block ends without an error.

    The folder of `path` is created if it is missing. After an error, the temporary file is removed and an older file
    at `path` stays as it was. The name keeps its ending, since many writers choose their format by it. It also holds
    the process id, so that `sweep_temporaries` recognizes what a killed process left.

    Args:
        path: the file.
        synchronize: wait until the contents are on the disk, so that not even a power failure leaves half a file.

    Example:
        >>> from gaugenet.files import atomic_path
        >>> with atomic_path("result.txt") as temporary:
        ...     _ = temporary.write_text("complete or absent")
        >>> open("result.txt").read()
        'complete or absent'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.stem[:40]}-{_host()}.{os.getpid()}-"
    try:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
    except OSError as error:  # it names the temporary file, which means nothing to the user
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    temporary = Path(name)
    _TEMPORARIES.add(temporary)
    try:
        with disk_errors(path):
            yield temporary
        temporary.chmod(0o666 & ~_umask())  # some writers make files that only their owner can read
        if synchronize:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        _TEMPORARIES.discard(temporary)


def remove_temporaries() -> None:
    """Remove the temporary files of this process before it ends."""
    for path in list(_TEMPORARIES):
        path.unlink(missing_ok=True)


def sweep_temporaries(folder: str | Path) -> None:
    """Remove the temporary files directly in a folder that killed processes left.

    Files of running processes are kept. Processes on other machines cannot be seen, so their files are removed after
    an hour.
    """
    for path in Path(folder).glob(".*-????????.*-*"):
        name = _TEMPORARY.search(path.name)
        with suppress(OSError):  # another process was faster
            if name and _is_left(path, host=name[1], process=int(name[2])):
                logger.debug("Removing %s, left by a process that was killed.", path)
                path.unlink()


def _is_left(path: Path, *, host: str, process: int) -> bool:
    if host != _host():
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # a process of another user
        return False
    return False


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


_TEMPORARIES: set[Path] = set()
_TEMPORARY = re.compile(r"-([0-9a-f]{8})\.(\d+)-\w{8}(\.\w+)?$")
_STALE_SECONDS = 3600.0


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, completely or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_npz(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as a compressed npz, completely or not at all."""
    import numpy as np

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
