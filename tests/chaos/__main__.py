"""Many rounds of chaos over three brokers: ``make chaos ROUNDS=20 SEED=1``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import confluent_kafka.admin

from tests.chaos.scenario import PARTITIONS, run
from tests.realkafka import Cluster, KafkaUnavailableError

_LOGS = Path("target/kafka-logs")


def main() -> int:
    """Run it; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="brokers ended and started again (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the faults (default: the time)")
    parser.add_argument("--package", default="ottla.confluent_kafka", help="the client (default: %(default)s)")
    parser.add_argument("--without-idempotence", action="store_true", help="acks=all alone: nothing lost, all the same")
    arguments = parser.parse_args()
    package = importlib.import_module(arguments.package)
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    print(f"chaos: {arguments.package}, {arguments.rounds} rounds, seed {seed}", flush=True)
    try:
        with Cluster(3) as cluster:
            topic = f"chaos-{seed}"
            make_topic(cluster.bootstrap, topic)
            try:
                report = run(
                    cluster,
                    topic,
                    package,
                    rounds=arguments.rounds,
                    seed=seed,
                    idempotence=not arguments.without_idempotence,
                    tell=lambda line: print(line, flush=True),
                )
            except BaseException:
                print("logs of the brokers kept:", *cluster.keep_logs(_LOGS), file=sys.stderr)
                raise
    except (AssertionError, KafkaUnavailableError) as error:
        print(f"chaos: {error}\nagain: make chaos ROUNDS={arguments.rounds} SEED={seed}", file=sys.stderr)
        return 1
    print(f"clean: {report}")
    return 0


def make_topic(bootstrap: str, topic: str) -> None:
    """Make the topic, by the original."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
    wanted = confluent_kafka.admin.NewTopic(topic, PARTITIONS, 3, config={"min.insync.replicas": "2"})  # type: ignore[attr-defined]
    admin.create_topics([wanted], operation_timeout=30)[topic].result(60)


if __name__ == "__main__":
    sys.exit(main())
