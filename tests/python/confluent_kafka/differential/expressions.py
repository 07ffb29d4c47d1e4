"""Evaluates the expressions of a text file on one package and prints what each comes to: type and value, or exception.

No broker: clients that are made here have an address where nobody listens. Run as a program, so that what the original
does to its process (it aborts on some calls) stays there.
"""

from __future__ import annotations

import copy
import importlib
import json
import pickle
import re
import sys
import typing
from pathlib import Path
from typing import Any

NOBODY = "127.0.0.1:1"


def names(package: str) -> dict[str, Any]:
    """What the expressions may name."""
    face = importlib.import_module(package)
    admin = importlib.import_module(f"{package}.admin")
    quiet = {"bootstrap.servers": NOBODY, "log_level": 0}

    def producer(**more: object) -> Any:
        return face.Producer(quiet | more)

    def consumer(**more: object) -> Any:
        return face.Consumer(quiet | {"group.id": "g"} | more)

    def closed(client: Any) -> Any:
        client.close()
        return client

    def without_init(base: type) -> type:
        return type("Late", (base,), {"__init__": lambda *_, **__: None})

    def again() -> None:
        producer().__init__(quiet)

    def full(message: Any) -> list[object]:
        getters = "topic partition offset key value headers error timestamp latency leader_epoch delivery_count"
        return [getattr(message, getter)() for getter in getters.split()]

    def after(target: Any, method: str, *args: object) -> object:
        return getattr(target, method)(*args), full(target)

    return {
        "ck": face,
        "admin": admin,
        "cimpl": importlib.import_module(f"{package}.cimpl"),
        "KE": face.KafkaError,
        "KX": face.KafkaException,
        "TP": face.TopicPartition,
        "M": face.Message,
        "P": face.Producer,
        "C": face.Consumer,
        "A": admin.AdminClient,
        "NT": admin.NewTopic,
        "p": producer,
        "c": consumer,
        "a": lambda **more: admin.AdminClient(quiet | more),
        "closed": lambda: closed(producer()),
        "closedc": lambda: closed(consumer()),
        "new": lambda base: base.__new__(base),
        "Sub": without_init(face.Producer),
        "SubC": without_init(face.Consumer),
        "reinit": again,
        "full": full,
        "st": after,
        "DEAD": NOBODY,
        "copy": copy,
        "pickle": pickle,
        "typing": typing,
        "sys": sys,
    }


def plain(text: str) -> str:
    """Leave out where objects lie and what the package is called."""
    text = re.sub(r" at 0x[0-9a-f]+( state=[a-z]+)?( (raised|returned) [A-Za-z]+)?", "", text)
    return re.sub(r"(ottla\.)?confluent_kafka(\.cimpl|\.admin)?\.|\bcimpl\.", "", text)


def outcome(expression: str, scope: dict[str, Any]) -> str:
    """Evaluate one."""
    try:
        value = eval(expression, scope)  # noqa: S307  # our own text
    except BaseException as error:  # noqa: BLE001  # whatever it is
        return plain(f"!! {type(error).__name__} {error.args}")
    return plain(f"-> {type(value).__name__} {value!r}")


def main(package: str, file: str) -> None:
    """Print a JSON object: each expression with its outcome."""
    scope = names(package)
    lines = Path(file).read_text().splitlines()
    json.dump({line: outcome(line, scope) for line in lines}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
