"""The text that the demo sends: every line of the repository's own text files, or of one file."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_LOOKED_AT = 8_192


class DemoError(Exception):
    """The demo could not run, or its check failed; the text says why."""


@dataclass(frozen=True)
class Line:
    """One record to be."""

    #: Counts all lines from 0: what tells a lost, doubled or overtaken one.
    number: int
    file: bytes
    text: bytes

    @property
    def headers(self) -> list[tuple[str, str | bytes | None]]:
        """How the number travels."""
        return [("number", b"%d" % self.number)]


def lines(file: Path | None) -> list[Line]:
    """Every line of `file`, else of every text file that git knows here."""
    found: list[Line] = []
    for path in [file] if file else _repository_files():
        content = path.read_bytes()
        if b"\0" in content[:_LOOKED_AT]:
            continue
        name = str(path).encode()
        for text in content.splitlines():
            found.append(Line(len(found), name, text))
    return found


def _repository_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout  # noqa: S607
    return [path for name in listed.split(b"\0") if name and (path := Path(name.decode())).is_file()]
