"""One broker: its folder, its process, its end. When to start and stop which is left to `cluster`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.realkafka.errors import KafkaUnavailableError

# Runs a program that dies with its parent (PR_SET_PDEATHSIG = 1), so that a killed test run leaves no broker behind.
_DIES_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.getppid() == int(sys.argv[1]) or sys.exit(1); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)
_TERM_SECONDS = 30.0
# The kernel sends that signal when the thread that started the program ends, so one thread that stays starts them all.
_LAUNCHER = ThreadPoolExecutor(1, "kafka-launcher")


def process_lives(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


@dataclass
class Broker:
    """A broker and controller in one process."""

    node_id: int
    port: int
    controller_port: int
    #: The listener that clients reach through a proxy: it is told to clients as `proxy_port`.
    proxied_port: int
    proxy_port: int
    folder: str
    command: list[str]
    pid: int = 0
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def log(self) -> Path:
        """What the process wrote; lines of every start are appended."""
        return Path(self.folder) / "log"

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.pid != 0 and process_lives(self.pid)

    def state(self) -> dict[str, object]:
        """What `up` writes for later commands."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    def launch(self, *, detached: bool) -> None:
        """Start the process. `detached`: it outlives this process; else it dies with it, however that ends."""
        command = self.command
        if not detached and sys.platform == "linux":
            command = [sys.executable, "-S", "-c", _DIES_WITH_PARENT, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            self._child = _LAUNCHER.submit(
                subprocess.Popen[bytes],
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C at the terminal is for the tests, not for the broker
            ).result()
        self.pid = self._child.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal if it lives."""
        if self.running:
            os.kill(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal and wait for the end; after 30 s kill."""
        for sent in (number, signal.SIGKILL):
            self.send_signal(sent)
            if self._ended(_TERM_SECONDS):
                break
        else:
            message = f"broker {self.node_id} (pid {self.pid}) did not end after SIGKILL"
            raise KafkaUnavailableError(message)
        self.pid = 0

    def _ended(self, seconds: float) -> bool:
        if self._child is not None:
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        until = time.monotonic() + seconds
        while self.running and time.monotonic() < until:
            time.sleep(0.02)
        return not self.running
