"""``python -m ottla.testing``: a cluster of embedded brokers as a process of its own.

Prints one line of JSON once it serves, ``{"bootstrap_servers": "127.0.0.1:41234", "pid": 1}``, and runs until SIGTERM,
Ctrl-C or the end of the command of ``--exec``, which finds the address in $KAFKA_BOOTSTRAP_SERVERS.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys

from ottla.testing import Broker

#: Where the command of ``--exec`` finds the address.
VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
_ENDS = {signal.SIGINT, signal.SIGTERM}
#: How often it looks whether the broker has failed.
_LOOK_SECONDS = 1.0


def main(argv: list[str] | None = None) -> int:
    """Serve until told to end; the exit code, that of ``--exec`` where there is one."""
    given = _parser().parse_args(argv)
    ports = None if given.port is None else range(given.port, given.port + given.brokers)
    waits = not given.exec and not given.until_eof
    if waits:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # before the broker's thread is made, which then has it too
    try:
        broker = Broker(
            given.brokers,
            seed=given.seed,
            topics=dict(given.topic),
            auto_create=not given.no_auto_create,
            default_partitions=given.default_partitions,
            max_bytes=given.max_bytes,
            ports=ports,
            group_min_session_timeout_ms=given.group_min_session_timeout_ms,
        )
    except (OSError, ValueError, OverflowError) as error:
        print(f"ottla.testing: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    with broker:
        try:
            print(json.dumps({"bootstrap_servers": broker.bootstrap_servers, "pid": os.getpid()}), flush=True)
            if given.exec:
                return _run(given.exec, broker.bootstrap_servers)
            if waits:
                while signal.sigtimedwait(_ENDS, _LOOK_SECONDS) is None:
                    broker.check()
            else:
                sys.stdin.buffer.read()
        except KeyboardInterrupt:  # the command of --exec got it from the terminal too
            return 130
    return 0


def _run(command: list[str], bootstrap: str) -> int:
    try:
        return subprocess.run(command, env=os.environ | {VARIABLE: bootstrap}, check=False).returncode  # noqa: S603
    except OSError as error:
        print(f"ottla.testing: {command[0]} could not be run: {error}", file=sys.stderr)
        return 127


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ottla.testing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--brokers", type=int, default=1, help="how many (default: 1)")
    parser.add_argument(
        "--topic", type=_topic, action="append", default=[], metavar="NAME[:PARTITIONS]", help="create it; repeatable"
    )
    parser.add_argument("--port", type=int, help="of the first broker, the others follow (default: free ones)")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    parser.add_argument("--max-bytes", type=int, default=1 << 30, help="of records in memory (default: 1 GiB)")
    parser.add_argument("--default-partitions", type=int, default=1, help="of topics made on demand (default: 1)")
    parser.add_argument("--no-auto-create", action="store_true", help="do not make topics on demand")
    parser.add_argument("--group-min-session-timeout-ms", type=int, default=6_000, help="default: 6000, as Kafka")
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input does")
    parser.add_argument(
        "--exec",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help=f"run this with ${VARIABLE} set, then end (must come last)",
    )
    return parser


def _topic(text: str) -> tuple[str, int]:
    name, colon, partitions = text.partition(":")
    try:
        return name, int(partitions) if colon else 1
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PARTITIONS") from None


if __name__ == "__main__":
    sys.exit(main())
