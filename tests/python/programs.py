"""Programs in processes of their own: those that fork, are interrupted, run out of something, or end too early."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; whether it did well is for the caller to see."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
