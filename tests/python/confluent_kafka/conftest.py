"""The package under test: each test that takes `package` runs on the original and on Ottla, and must pass on both."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

ORIGINAL, OTTLA = "confluent_kafka", "ottla.confluent_kafka"
_BOTH = os.environ.get("PACKAGES", f"{ORIGINAL},{OTTLA}").split(",")


@pytest.fixture(params=_BOTH, ids=["original" if name == ORIGINAL else "ottla" for name in _BOTH])
def package(request: pytest.FixtureRequest) -> Any:
    """`confluent_kafka`, then `ottla.confluent_kafka`, with their `admin` modules loaded."""
    importlib.import_module(f"{request.param}.admin")
    return importlib.import_module(request.param)


@pytest.fixture
def ottla() -> Any:
    """Ottla alone, where the original does otherwise or not at all."""
    importlib.import_module(f"{OTTLA}.admin")
    return importlib.import_module(OTTLA)
