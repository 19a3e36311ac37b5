"""Write the sizes and SHA-256 checksums of the networks into `manifest.json`, after a file of one has changed.

python pretrained/update_manifest.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parent


def main() -> None:
    """Read the files and rewrite the manifest."""
    path = ROOT / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for entry in manifest["models"]:
        files = {name: (ROOT / entry["name"] / name).read_bytes() for name in entry["checksum"]}
        entry["size"] = sum(map(len, files.values()))
        entry["checksum"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
