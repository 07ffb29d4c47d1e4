"""The harness by hand: ``up``, ``info``, ``kill``, ``stop``, ``start``, ``down``; ``run`` for one command; ``jars``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.realkafka.cluster import Cluster
from tests.realkafka.errors import KafkaUnavailableError
from tests.realkafka.jars import KAFKA_VERSION, java, kafka_home

#: The variable that tests in other languages read the bootstrap address from.
BOOTSTRAP_VARIABLE = "OTTLA_TEST_BOOTSTRAP"


def main() -> int:
    """Do one command; its exit code."""
    arguments = _parser().parse_args()
    try:
        return _do(arguments)
    except KafkaUnavailableError as error:
        print(f"realkafka: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.realkafka", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("jars", help="check java and fill the cache")
    run = commands.add_parser("run", help=f"run a command with {BOOTSTRAP_VARIABLE} set, then end Kafka")
    up = commands.add_parser("up", help="start brokers that stay until `down`")
    for parser_of in (fetch, run, up):
        parser_of.add_argument("--version", default=KAFKA_VERSION, help="of Kafka (default: %(default)s)")
    for parser_of in (run, up):
        parser_of.add_argument("--brokers", type=int, default=1, choices=(1, 3))
        parser_of.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a server property")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the command and its arguments")
    folders = [up]
    for name, text in {
        "info": "print the bootstrap address and the processes",
        "kill": "SIGKILL one broker",
        "stop": "SIGTERM one broker and wait for its end",
        "start": "start one broker again and wait until it serves",
        "down": "end every broker and remove the folder",
    }.items():
        command = commands.add_parser(name, help=text)
        folders.append(command)
        if name in {"kill", "stop", "start"}:
            command.add_argument("--broker", type=int, required=True)
    for command in folders:
        command.add_argument("--dir", type=Path, required=True, help="the folder of data and logs")
    return parser


def _do(arguments: argparse.Namespace) -> int:
    command = arguments.command
    if command == "jars":
        java()
        print(kafka_home(arguments.version))
    elif command == "run":
        return _run(arguments)
    elif command == "up":
        return _up(arguments)
    else:
        cluster = Cluster.load(arguments.dir.resolve())
        if command == "kill":
            cluster.kill(arguments.broker)
        elif command == "stop":
            cluster.stop(arguments.broker)
        elif command == "start":
            cluster.restart(arguments.broker)
        elif command == "down":
            cluster.close()
            shutil.rmtree(cluster.folder)
            return 0
        cluster.save()
        _print_info(cluster)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        message = "run wants a command after --"
        raise KafkaUnavailableError(message)
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    with Cluster(arguments.brokers, version=arguments.version, settings=settings) as cluster:
        environment = os.environ | {BOOTSTRAP_VARIABLE: cluster.bootstrap}
        code = subprocess.run(argv, env=environment, check=False).returncode
        if code:
            print("realkafka: logs kept:", *cluster.keep_logs(Path("target/kafka-logs")), file=sys.stderr)
        return code


def _up(arguments: argparse.Namespace) -> int:
    folder = arguments.dir.resolve()
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is not empty: `down` its cluster or choose another folder"
        raise KafkaUnavailableError(message)
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    cluster = Cluster(arguments.brokers, version=arguments.version, settings=settings, folder=folder, detached=True)
    cluster.start()
    cluster.save()
    _print_info(cluster)
    return 0


def _print_info(cluster: Cluster) -> None:
    brokers = {
        broker.node_id: {"pid": broker.pid, "running": broker.running, "log": str(broker.log)}
        for broker in cluster.brokers
    }
    print(json.dumps({"bootstrap": cluster.bootstrap, "brokers": brokers}))


if __name__ == "__main__":
    sys.exit(main())
