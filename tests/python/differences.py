"""The known differences of the embedded broker: tests that fail there, by name, each with the reason.

They run all the same. One that passes fails the run (its line is stale), and so does a line that names no test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

_FILE = Path(__file__).with_name("differences.tsv")


@dataclass
class Differences:
    """Test to reason."""

    reasons: dict[str, str]

    @classmethod
    def read(cls) -> Self:
        """The lines of `differences.tsv`."""
        reasons = {}
        for line in _FILE.read_text().splitlines():
            if line and not line.startswith("#"):
                test, tab, reason = line.partition("\t")
                if not (tab and reason.strip()) or test in reasons:
                    raise pytest.UsageError(f"{_FILE.name}: no reason, or there twice: {line!r}")
                reasons[test] = reason
        return cls(reasons)

    def expect(self, config: pytest.Config, items: list[pytest.Item], kind: str) -> None:
        """Mark the tests of this `kind` of broker that are to fail; complain about lines that name none."""
        found = set()
        for item in items:
            call = getattr(item, "callspec", None)
            if call is None or call.params.get("broker_kind") != kind:
                continue
            plain = item.nodeid.partition("[")[0]
            for name in (plain, f"{plain}[{_other_parameters(item)}]"):
                if name in self.reasons:
                    found.add(name)
                    item.add_marker(pytest.mark.xfail(reason=self.reasons[name], strict=True))
        if config.getoption("--broker") != "real" and not any("::" in argument for argument in config.args):
            files = {item.nodeid.partition("::")[0] for item in items}
            stale = [name for name in self.reasons if name.partition("::")[0] in files and name not in found]
            if stale:
                raise pytest.UsageError(f"{_FILE.name} names tests that do not exist: {', '.join(stale)}")


def _other_parameters(item: pytest.Item) -> str:
    """What stands in the test's brackets without the kind of broker."""
    inside = item.nodeid.partition("[")[2].removesuffix("]")
    return "-".join(part for part in inside.split("-") if part not in {"real", "embedded"})
