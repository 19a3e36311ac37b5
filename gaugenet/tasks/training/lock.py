"""A lock that allows one training in each folder; the operating system releases it, however a process ends."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaugenet.files import sweep_temporaries
from gaugenet.tasks.training.options import TaskError

logger = logging.getLogger(__name__)

LOCK = ".lock"


@contextmanager
def run_lock(run: str | Path) -> Iterator[None]:
    """Lock the folder of a run, created if missing, and remove half-written files of killed trainings.

    On systems without `flock` (Windows, some network disks) nothing is locked.

    Raises:
        TaskError: If another process trains in the folder; the message gives its process id.
    """
    run = Path(run)
    run.mkdir(parents=True, exist_ok=True)
    handle = _acquire(run / LOCK)
    try:
        if handle is not None:
            _sweep(run)
        yield
    finally:
        if handle is not None:
            (run / LOCK).unlink(missing_ok=True)
            os.close(handle)


def _acquire(path: Path) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise TaskError(
                f"Another training (process {owner}) runs in {path.parent}: wait for it, stop it, or choose another "
                "folder."
            ) from None
        except OSError as error:
            os.close(handle)
            logger.debug("%s cannot be locked (%s).", path, error)
            return None
        if _is_file(handle, path):
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode("ascii"))
            return handle
        os.close(handle)  # its last owner removed it in the meantime


def _is_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sweep(run: Path) -> None:
    """Remove temporary files of `atomic_path` and of checkpoints that no process writes to."""
    (run / ".last.ckpt.tmp").unlink(missing_ok=True)
    for folder in (run, run / "cache"):
        sweep_temporaries(folder)
