"""Which bodies are in which split, each with a seed of its own."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

SEED = 7

TRAIN = {"horse": 4, "giraffe": 4, "pig": 4, "cat": 4, "dog": 4, "cow": 4, "elephant": 4, "lizard": 4} | {
    "child": 5,
    "woman": 5,
    "man": 6,
}
VAL = dict.fromkeys(TRAIN, 1) | {"man": 2}
# Half of the test bodies are of kinds that nobody trains on.
TEST = {kind: 1 for kind in TRAIN if kind not in ("cow", "elephant", "dog")} | {
    "kangaroo": 1,
    "deer": 1,
    "sauropod": 1,
    "bear": 1,
    "rabbit": 1,
    "giant": 1,
    "heavy": 2,
}
SPLITS = {"train": TRAIN, "val": VAL, "test": TEST}


@dataclass(frozen=True)
class Entry:
    """One body of the set: its file is `split/kind_index.ply`."""

    split: str
    kind: str
    index: int

    @property
    def path(self) -> str:
        return f"{self.split}/{self.kind}_{self.index}.ply"

    @property
    def spread(self) -> float:
        """How far proportions stray from the kind's: test bodies are stranger than those trained on."""
        return 0.14 if self.split == "test" else 0.1

    @property
    def seed(self) -> int:
        return crc32(f"{SEED}/{self.path}".encode())


def entries() -> list[Entry]:
    """All bodies, in the order in which they are made."""
    return [Entry(s, kind, i) for s, kinds in SPLITS.items() for kind, count in kinds.items() for i in range(count)]
