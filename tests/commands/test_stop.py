"""SIGTERM and SIGHUP end a command within two seconds, with one message, and leave nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from gaugenet.files import atomic_path, sweep_temporaries

WORK = {
    "in Python": "time.sleep(60)",
    "in compiled code": "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2 * 10**9)",
}
PROGRAM = """
import hashlib, sys, time
from pathlib import Path
from gaugenet import cli
from gaugenet.files import atomic_path

def work(command, arguments):
    with atomic_path(Path(sys.argv[1]) / "whole.txt") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        {work}
    return 0

cli._run = work
sys.exit(cli.main(["inspect"]))
"""


def stopped(tmp_path, work: str, number: int) -> tuple[int, str, float]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=work), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert any(tmp_path.iterdir()), "control: there is a temporary file"
    start = time.monotonic()
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    return process.returncode, message, time.monotonic() - start


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_soon_and_leaves_nothing(tmp_path, work, number):
    status, message, seconds = stopped(tmp_path, WORK[work], number)
    assert status == 128 + number
    assert seconds < 2
    assert not any(tmp_path.iterdir())
    if work == "in Python":
        assert message == f"gaugenet: stopped by {number.name}.\n"


def test_control_a_process_that_is_killed_leaves_a_file_which_the_next_start_removes(tmp_path):
    status, _, _ = stopped(tmp_path, WORK["in Python"], signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_path(tmp_path / "other.txt") as temporary:
        sweep_temporaries(tmp_path)
        assert list(tmp_path.iterdir()) == [temporary], "those of running processes are kept"


def test_files_of_other_machines_are_removed_when_they_are_old(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with atomic_path(tmp_path / "mesh.pt") as temporary:
        left = temporary.rename(temporary.with_name(temporary.name[:-4] + "X.pt"))  # no random name has capitals
        temporary.touch()
    monkeypatch.undo()
    sweep_temporaries(tmp_path)
    assert left.exists()
    os.utime(left, (time.time() - 7200,) * 2)
    (tmp_path / ".mine-then.1-afternoon.txt").touch()
    sweep_temporaries(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "mesh.pt"] == [".mine-then.1-afternoon.txt"]
