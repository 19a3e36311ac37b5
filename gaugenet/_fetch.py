"""Fetch a network of the zoo from a folder or an address that the user names: complete, checked, never overwriting."""

from __future__ import annotations

import http.client
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from gaugenet._zoo import MANIFEST, ZooEntry, ZooError, as_manifest, home, is_name, parse, shipped_entries
from gaugenet.files import OutputError, write_json

_TIMEOUT = 30.0
"""Seconds that a server may be silent."""
_MANIFEST_BYTES = 2**20
_Read = Callable[[str, int], bytes]
"""Reads a file of the source by its relative name, at most some number of bytes; FileNotFoundError without one."""


def fetch(name: str, source: str | Path, *, out: str | Path | None = None) -> Path:
    """Copy a network from a folder or an address, check it, and return its new folder.

    The source holds the files of the network, directly or in a folder with its name. The checksums come from the
    library's own manifest. If that does not list the network, `manifest.json` of the source must list it. Such
    checksums only detect damage during the transfer, so the source has to be trusted.

    Args:
        name: name of the network.
        source: a folder, or an address that begins with `https://` or `http://`. No other address is contacted.
        out: folder that receives the folder `name`; by default `$GAUGENET_MODELS` or `~/.cache/gaugenet/models`,
            where `gaugenet predict NAME` finds it.

    Raises:
        ZooError: If the source lacks the network, or a file does not match the manifest. No files remain then.
        OutputError: If the network exists already.
        OSError: If the source cannot be read, or the folder cannot be written.
    """
    if not is_name(name):
        raise ZooError(f"Expected the name of a network (letters, digits, - and _), got {name!r:.80}.")
    target = (home() if out is None else Path(out)) / name
    _check_free(target)
    read = _reader(str(source))
    entry = shipped_entries().get(name) or _listed(name, source, read)
    contents = _contents(entry, source, read)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
    try:
        for file, content in contents.items():
            (temporary / file).write_bytes(content)
        write_json(temporary / MANIFEST, as_manifest(entry))
        temporary.chmod(0o755)
        _check_free(target)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _check_free(target: Path) -> None:
    if target.exists():
        raise OutputError(f"{target} already exists and is never replaced: remove it first, or choose another --out.")


def _contents(entry: ZooEntry, source: object, read: _Read) -> dict[str, bytes]:
    """Return the checked content of each file; the total size is at most what the manifest says."""
    found: dict[str, bytes] = {}
    for file in entry.checksum:
        left = entry.size - sum(map(len, found.values()))
        content = _first(read, (f"{entry.name}/{file}", file), left)
        if content is None:
            raise ZooError(f"{source} has no file {entry.name}/{file}, and no {file}.")
        entry.check(file, content, f"{file} of {source}")
        found[file] = content
    return found


def _listed(name: str, source: object, read: _Read) -> ZooEntry:
    content = _first(read, (MANIFEST, f"{name}/{MANIFEST}"), _MANIFEST_BYTES)
    listed = parse(content, f"{MANIFEST} of {source}") if content is not None else {}
    if name not in listed:
        raise ZooError(
            f"Neither the manifest of gaugenet ({', '.join(shipped_entries())}) nor a {MANIFEST} of {source} "
            f"lists {name!r}: so nothing says what its files should be."
        )
    return listed[name]


def _first(read: _Read, names: tuple[str, ...], limit: int) -> bytes | None:
    for name in names:
        try:
            return read(name, limit)
        except FileNotFoundError:
            continue
    return None


def _reader(source: str) -> _Read:
    if source.startswith(("https://", "http://")):
        return lambda name, limit: _read_address(f"{source.rstrip('/')}/{quote(name)}", limit)
    if "://" in source:
        raise ZooError(f"Expected a folder, or an address that begins with https:// or http://; got {source!r:.200}.")
    if not Path(source).is_dir():
        raise ZooError(f"No folder {source}: name the folder that holds the network, or its address.")
    return lambda name, limit: _read_file(Path(source) / name, limit)


def _read_file(path: Path, limit: int) -> bytes:
    with open(path, "rb") as file:
        return _bounded(file, limit, path)


def _read_address(address: str, limit: int) -> bytes:
    try:
        with urlopen(Request(address, headers={"User-Agent": "gaugenet"}), timeout=_TIMEOUT) as answer:
            return _bounded(answer, limit, address)
    except HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(address) from error
        raise OSError(f"{address} was refused: {error.code} {error.reason}.") from error
    except (URLError, http.client.HTTPException, TimeoutError) as error:
        raise OSError(f"{address} cannot be reached: {getattr(error, 'reason', error)}.") from error


def _bounded(file: Any, limit: int, source: object) -> bytes:
    content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise ZooError(f"{source} is larger than its manifest says: expected at most {limit:,} bytes.")
    return content
