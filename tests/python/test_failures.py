"""What `make test` prints last when tests have failed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.failures import failures

if TYPE_CHECKING:
    from pathlib import Path

_TESTS = """
import pytest

def test_passes(): pass

def test_fails(): assert 6 * 7 == 41, "the answer"

@pytest.fixture
def broken(): raise OSError("no broker")

def test_cannot_begin(broken): pass

@pytest.mark.xfail
def test_is_known(): assert False
"""


def test_each_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    """A failure and an error, and nothing of what passed or was expected."""
    (tmp_path / "test_answers.py").write_text(_TESTS)
    pytest = [sys.executable, "-m", "pytest", "--junit-xml=report.xml", "--rootdir=.", "-p", "no:cacheprovider"]
    subprocess.run(pytest, cwd=tmp_path, check=False, stdout=subprocess.DEVNULL)
    failed, broken = sorted(failures((tmp_path / "report.xml").read_text()), reverse=True)
    assert failed.startswith("FAILURE test_answers::test_fails\n")
    assert "the answer" in failed
    assert broken.startswith("ERROR test_answers::test_cannot_begin\n")
    assert "no broker" in broken
