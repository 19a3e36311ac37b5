"""A headless Chromium driven over its own debugging pipe, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Chromium reads commands from descriptor 3 and writes answers to 4: duplicated high first, so that neither is lost.
_LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 20) for fd in sys.argv[1:3])
os.dup2(read, 3), os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser process; `open` gives pages."""

    def __init__(self, program: str, *, flags: tuple[str, ...] = ()) -> None:
        self._profile = tempfile.mkdtemp(prefix="browser-")
        command_read, self._write = os.pipe()
        self._read, answer_write = os.pipe()
        arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile}",
            *flags,
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(command_read), str(answer_write), program, *arguments],
            pass_fds=(command_read, answer_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ)
        self._buffer, self._last_id = b"", 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, *, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come meanwhile are kept in `events`."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(timeout=60)
            if answer is None:
                raise TimeoutError(f"The browser did not answer {method}.")
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _receive(self, *, timeout: float) -> dict[str, Any] | None:
        end = time.monotonic() + timeout
        while b"\0" not in self._buffer:
            if not self._selector.select(max(0.0, end - time.monotonic())):
                return None
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("The browser went away.")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, fragment: str = "", *, size: tuple[int, int] = (1200, 760), **options: Any) -> Page:
        return Page(self, path, fragment, size=size, **options)

    def close(self) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """One tab: what it asked of the network, what went wrong in it, what it looks like."""

    def __init__(self, browser: Browser, path: Path, fragment: str, *, size: tuple[int, int], before: str = "") -> None:
        self.browser = browser
        browser.events.clear()
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.url = path.resolve().as_uri()
        self.call("Page.navigate", url=self.url + fragment)
        self.wait_for("Boolean(document.documentElement?.dataset.state)")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, session=self._session, **params)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, condition: str, *, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not self.evaluate(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"{condition} did not come true; problems: {self.problems()}")
            time.sleep(0.05)

    def frames(self, count: int = 2) -> None:
        """Let the page paint."""
        self.evaluate("window.painted = 0")
        for _ in range(count):
            self.call(
                "Runtime.evaluate",
                expression="new Promise((done) => requestAnimationFrame(() => done(1)))",
                awaitPromise=True,
            )

    def problems(self) -> list[str]:
        """Uncaught exceptions, console errors and everything the browser refused."""
        found = []
        for event in self._events():
            method, params = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append(details.get("exception", {}).get("description") or details["text"])
            elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(params["entry"]["text"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(str(params["args"]))
        return found

    def requests(self) -> list[str]:
        """Every address that was asked for, without the page itself and data inside it."""
        asked = [e["params"]["request"]["url"] for e in self._events() if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith((self.url, "data:", "blob:"))]

    def _events(self) -> list[dict[str, Any]]:
        self.evaluate("0")  # fetch what is still in the pipe
        return [event for event in self.browser.events if event.get("sessionId") == self._session]

    def screenshot(self) -> ndarray:
        """(H, W, 3) bytes."""
        from PIL import Image

        data = self.call("Page.captureScreenshot", format="png")["data"]
        return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, button: str = "left") -> None:
        def mouse(kind: str, at: tuple[float, float], **more: Any) -> None:
            self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)

        mouse("mouseMoved", start)
        mouse("mousePressed", start, button=button, clickCount=1)
        for k in range(1, 5):
            at = tuple(a + (b - a) * k / 4 for a, b in zip(start, end))
            mouse("mouseMoved", at, button=button, buttons=1 if button == "left" else 2)
        mouse("mouseReleased", end, button=button, clickCount=1)
        self.frames()

    def wheel(self, at: tuple[float, float], delta: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseWheel", x=at[0], y=at[1], deltaX=0, deltaY=delta)
        self.frames()

    def press(self, key: str) -> None:
        extra = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.frames()

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self._target)
