"""Runs one program of the differential tests on one package and prints what it saw as JSON."""

from __future__ import annotations

import importlib
import json
import sys

from tests.python.confluent_kafka.differential.setup import Setup


def main(package: str, module: str, program: str, bootstrap: str, topic: str) -> None:
    """Run it."""
    found = importlib.import_module(f"tests.python.confluent_kafka.differential.{module}")
    json.dump(getattr(found, program)(Setup(package, bootstrap, topic)), sys.stdout, default=repr)


if __name__ == "__main__":
    main(*sys.argv[1:])
