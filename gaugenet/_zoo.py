"""The model zoo: the manifest of trained networks, and their files, each checked by its SHA-256.

A folder of the zoo holds `manifest.json` and one folder for each network with `NAME/run.json`,
`NAME/model.safetensors` and `NAME/README.md`. The library ships one such folder. Fetched networks are in another one,
each with its own manifest.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gaugenet._shipped import shipped

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1
CARD = "README.md"
FILES = ("run.json", "model.safetensors", CARD)
"""The files of a network; a manifest names no others."""
HOME = "GAUGENET_MODELS"
"""Environment variable of the folder for fetched networks."""
_MAX_BYTES = 2**30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ZooError(ValueError):
    """A network that the zoo does not have, or whose files do not match its manifest."""


@dataclass(frozen=True)
class ZooEntry:
    """A trained network of the zoo.

    Attributes:
        name: name of the network and of its folder.
        task: the task that it was trained for, see `gaugenet.tasks.table`.
        summary: what it predicts, in a line.
        data: what it was trained on.
        licence: how its weights may be used.
        figures: measured scores, each a dictionary of `metric`, `value` and `on`.
        size: bytes of all files.
        checksum: SHA-256 of each file by name.
        folder: where its files are; the empty path if only the manifest was read.
    """

    name: str
    task: str
    summary: str
    data: str
    licence: str
    figures: list[dict[str, Any]]
    size: int
    checksum: dict[str, str]
    folder: Path = Path()

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain values for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}

    def check(self, file: str, content: bytes, source: object) -> None:
        """Raise `ZooError` if the checksum of a file's content differs from the manifest."""
        found = hashlib.sha256(content).hexdigest()
        if found != self.checksum[file]:
            raise ZooError(
                f"{source} is not the file of the manifest: expected the SHA-256 {self.checksum[file]}, got {found}. "
                "It is damaged or was changed: install gaugenet or fetch the network again."
            )


def is_name(text: str) -> bool:
    """Return whether a text is a valid name of a network, without a folder before it."""
    return _NAME.fullmatch(text) is not None


def home() -> Path:
    """Return the folder of fetched networks: `$GAUGENET_MODELS`, or `~/.cache/gaugenet/models`."""
    named = os.environ.get(HOME)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "gaugenet" / "models"


def entries() -> dict[str, ZooEntry]:
    """Return all networks by name: first the shipped ones, then the fetched ones.

    A fetched network whose manifest cannot be read is left out with a warning.
    """
    found = shipped_entries()
    for path in sorted(home().glob(f"*/{MANIFEST}")):
        try:
            listed = parse(path.read_bytes(), path)
        except (ZooError, OSError) as error:
            logger.warning("%s", error)
            continue
        name = path.parent.name
        if name in listed:
            found.setdefault(name, replace(listed[name], folder=path.parent))
    return found


def shipped_entries() -> dict[str, ZooEntry]:
    """Return the networks that come with the library, by name."""
    folder = shipped("pretrained")
    listed = parse((folder / MANIFEST).read_bytes(), folder / MANIFEST)
    return {name: replace(entry, folder=folder / name) for name, entry in listed.items()}


def find(name: str) -> ZooEntry:
    """Return the network of that name.

    Raises:
        ZooError: If there is none.
    """
    known = entries()
    if name not in known:
        near = get_close_matches(name, known)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ZooError(
            f"The zoo has no network {name!r:.80}, only {', '.join(known)}. {hint}Others come by "
            "`gaugenet models fetch NAME --from FOLDER_OR_URL`."
        )
    return known[name]


def folder_of(name: str) -> Path:
    """Return the folder of a network, after every file in it has been checked.

    Raises:
        ZooError: If there is no such network, or a file is missing or does not match the manifest.
    """
    entry = find(name)
    for file in entry.checksum:
        path = entry.folder / file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path} cannot be read ({error.strerror}): install gaugenet again.") from error
        entry.check(file, content, path)
    return entry.folder


def parse(content: bytes, source: object) -> dict[str, ZooEntry]:
    """Return the entries of a manifest by name.

    Args:
        content: of the manifest.
        source: where it comes from, for messages.

    Raises:
        ZooError: If it is not a manifest, or an entry is incomplete.
    """
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{source} is not a manifest: {error}.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT or not isinstance(values.get("models"), list):
        raise ZooError(f"{source} is not a manifest: expected `format` {FORMAT} and a list `models`.")
    found = [_entry(one, source) for one in values["models"]]
    return {entry.name: entry for entry in found}


def as_manifest(*networks: ZooEntry) -> dict[str, Any]:
    """Return a manifest of the networks as plain values for JSON."""
    return {"format": FORMAT, "models": [entry.as_dict() for entry in networks]}


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("name", "task", "summary", "data", "licence"), str),
    **{"figures": list, "size": int, "checksum": dict},
}


def _entry(values: Any, source: object) -> ZooEntry:
    if not isinstance(values, dict) or set(values) != set(_KINDS):
        raise ZooError(f"{source}: expected an entry with {', '.join(_KINDS)}; got {values!r:.80}.")
    for key, kind in _KINDS.items():
        if not isinstance(values[key], kind):
            raise ZooError(f"{source}: expected {key!r} to be a {kind.__name__}, got {values[key]!r:.80}.")
    sums = values["checksum"]
    if set(sums) != set(FILES) or not all(isinstance(v, str) and _SHA256.fullmatch(v) for v in sums.values()):
        raise ZooError(f"{source}: expected a SHA-256 of each of {', '.join(FILES)}; got {sums!r:.80}.")
    if not is_name(values["name"]) or not 0 < values["size"] <= _MAX_BYTES:
        raise ZooError(f"{source}: expected a plain name and at most {_MAX_BYTES:,} bytes; got {values['name']!r:.80}.")
    if not all(isinstance(one, dict) and {"metric", "value", "on"} <= set(one) for one in values["figures"]):
        raise ZooError(f"{source}: expected figures with `metric`, `value` and `on`; got {values['figures']!r:.80}.")
    return ZooEntry(**values)
