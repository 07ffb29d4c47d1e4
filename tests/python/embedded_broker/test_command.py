"""``python -m ottla.testing``: a cluster as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import confluent_kafka
import pytest

_COMMAND = [sys.executable, "-m", "ottla.testing"]
_SECONDS = 30.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_and_runs_until_it_is_told_to_end(number: signal.Signals) -> None:
    """One line of JSON; two brokers, the topic is there."""
    with subprocess.Popen(
        [*_COMMAND, "--brokers", "2", "--topic", "t:3"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["pid"] == process.pid
        metadata = confluent_kafka.Producer({"bootstrap.servers": told["bootstrap_servers"]}).list_topics(timeout=30)
        assert len(metadata.brokers) == 2
        assert len(metadata.topics["t"].partitions) == 3
        process.send_signal(number)
        assert process.wait(_SECONDS) == 0
        assert process.stdout.read() == ""


def test_it_runs_a_command_and_gives_its_exit_code() -> None:
    """The command finds the address in its environment."""
    program = "import os, sys; print(os.environ['KAFKA_BOOTSTRAP_SERVERS']); sys.exit(7)"
    done = subprocess.run(
        [*_COMMAND, "--exec", sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    told, printed = done.stdout.splitlines()
    assert json.loads(told)["bootstrap_servers"] == printed
    assert done.returncode == 7


def test_it_ends_with_its_standard_input() -> None:
    """``--until-eof``: whoever started it is gone."""
    done = subprocess.run([*_COMMAND, "--until-eof"], input="", capture_output=True, text=True, check=False)
    assert "bootstrap_servers" in done.stdout
    assert done.returncode == 0


def test_what_is_wrong_is_said() -> None:
    """In a line, without a trace."""
    for arguments in (
        ["--topic", "t:many"],
        ["--topic", "a b"],
        ["--port", "1", "--exec", "no-such-program"],
        ["--port", "80000"],
        ["--brokers", "-1"],
    ):
        done = subprocess.run([*_COMMAND, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert done.stderr
