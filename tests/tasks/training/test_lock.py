"""Two trainings never write into one folder, and no lock outlives its process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from gaugenet.files import atomic_path, disk_errors
from gaugenet.tasks.training.lock import LOCK, run_lock
from gaugenet.tasks.training.options import TaskError

HOLD = """
import sys, time
from gaugenet.tasks.training.lock import run_lock
with run_lock(sys.argv[1]):
    print(1, flush=True)
    time.sleep(60)
"""


def _holder(run) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"1"
    return process


def test_the_second_is_refused_with_the_number_of_the_first_and_the_lock_survives_no_crash(tmp_path):
    pytest.importorskip("fcntl")
    first = _holder(tmp_path)
    try:
        with pytest.raises(TaskError, match=f"process {first.pid}"), run_lock(tmp_path):
            pass
        with run_lock(tmp_path / "other"):
            pass
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (tmp_path / LOCK).exists(), "control: the file is still there"
    with run_lock(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    assert not (tmp_path / LOCK).exists()


def test_what_a_killed_training_left_half_written_is_removed(tmp_path):
    (tmp_path / ".last.ckpt.tmp").write_text("half")
    for name in ("model.safetensors", "run.json", "cache/key.pt"):
        with atomic_path(tmp_path / name) as temporary:
            temporary.rename(temporary.with_name(temporary.name.replace(f".{os.getpid()}-", ".4194305-")))
            temporary.touch()
        (tmp_path / name).unlink()
    assert len(list(tmp_path.rglob(".*"))) == 4, "control"
    for name in ("model.safetensors", ".mine.json"):
        (tmp_path / name).write_text("whole")
    with run_lock(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".mine.json", "cache", "model.safetensors"]
    assert not any((tmp_path / "cache").iterdir())


def test_a_full_disk_is_called_by_its_name(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, disk_errors(tmp_path / "x"):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=r"curves\.png"), atomic_path(tmp_path / "curves.png"):
        raise OSError(errno.ENOSPC, "No space left on device")  # the file is not named
    with pytest.raises(OSError, match="other") as caught, atomic_path(tmp_path / "curves.png"):
        raise OSError(errno.EACCES, "not allowed", "other")  # control
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="another"), disk_errors(tmp_path):
        raise RuntimeError("another")
