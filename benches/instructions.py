"""Instructions per record of the hot functions, counted by callgrind: the one figure that noise cannot move.

Counts the instructions of our own program within each function, not those of libc (its `memcpy` is chosen by the
processor), and compares them with `instructions.txt` beside this file; `--write` refreshes that file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COUNTS = Path(__file__).with_suffix(".txt")
TOLERANCE = 0.03
"""More than this above the kept count fails; more than this below asks for a refresh."""


class Row(NamedTuple):
    """One counted function."""

    name: str
    package: str
    example: str
    argument: str
    function: str
    records: int
    """Records that the function handles in one run of the program, all its calls together."""


ROWS = [
    Row("append", "ottla-machines", "append", "20000", "append::World::append", 20_001),
    # The example encodes once to prepare and once more when asked to: 20,000 records.
    Row("encode", "ottla-protocol", "count", "encode", "count::encode_records", 20_000),
    Row("encode, 2 headers", "ottla-protocol", "count", "headers", "count::encode_records", 20_000),
    Row("decode into offsets", "ottla-protocol", "count", "decode", "count::decode_offsets", 10_000),
    Row("decode into views", "ottla-protocol", "count", "views", "count::decode_views", 10_000),
]


def build(rows: list[Row]) -> Path:
    """Build each example once, in the release profile; returns the folder they lie in."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    for package, example in sorted({(row.package, row.example) for row in rows}):
        command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", package, "--example", example]
        subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / target / "release" / "examples"


def own_instructions(profile: str, program: str) -> int:
    """The instructions that callgrind counted in `program` itself, shared libraries left out."""
    total, ours, called = 0, False, False
    for line in profile.splitlines():
        if line.startswith("ob="):
            ours = Path(line[3:]).name == program
        elif line.startswith("calls="):
            # The line that follows is the cost of the callee, which is counted where it stands itself.
            called = True
        elif line[:1].isdigit():
            if ours and not called:
                total += int(line.split()[1])
            called = False
    return total


def count(row: Row, folder: Path) -> float:
    """Instructions per record of one row."""
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary) / "callgrind.out"
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--toggle-collect={row.function}",
            "--compress-strings=no",
            "--compress-pos=no",
            f"--callgrind-out-file={output}",
            str(folder / row.example),
            row.argument,
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
        counted = own_instructions(output.read_text(), row.example)
    if counted == 0:
        sys.exit(f"{row.name}: nothing counted; is {row.function} still there and not inlined?")
    return counted / row.records


def kept() -> dict[str, float]:
    """The counts of the last refresh."""
    lines = COUNTS.read_text().splitlines() if COUNTS.exists() else []
    entries = (line.rsplit(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {name: float(figure) for name, figure in entries}


def main() -> int:
    """Count every row; 1 if one moved by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--check", action="store_true", help="compare with the kept counts (the default)")
    which.add_argument("--write", action="store_true", help="keep the counts as they are now")
    write = parser.parse_args().write
    if shutil.which("valgrind") is None:
        print("instruction counts skipped: valgrind is not installed")
        return 0
    folder = build(ROWS)
    before = kept()
    now = {row.name: count(row, folder) for row in ROWS}
    moved = []
    for name, figure in now.items():
        old = before.get(name)
        change = None if old is None else figure / old - 1
        print(f"{name:24} {figure:8.1f} instructions a record" + ("" if change is None else f" ({change:+.1%})"))
        if change is None or abs(change) > TOLERANCE:
            moved.append(name)
    if write:
        lines = [f"{name} {figure:.1f}" for name, figure in now.items()]
        COUNTS.write_text("\n".join(["# Instructions per record, by benches/instructions.py --write.", *lines]) + "\n")
        return 0
    if moved:
        print(f"moved by more than {TOLERANCE:.0%}, or never kept: {', '.join(moved)}.")
        print("If that is meant, run `python benches/instructions.py --write` and commit benches/instructions.txt.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
