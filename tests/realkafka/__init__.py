"""A real Apache Kafka for tests, the demo and the benchmarks.

Gets Kafka's jars from Maven Central (once, into a cache outside the tree), starts one or three KRaft brokers on free
ports of 127.0.0.1, waits until they answer, and kills, stops and starts single brokers.

    with Cluster(brokers=1) as cluster:
        print(cluster.bootstrap)

By hand: ``python -m tests.realkafka --help`` from the root of the repository. Plaintext only; what a test needs beyond
that is given as server properties (``settings=``).
"""

from tests.realkafka.cluster import LONG_RUN, Cluster
from tests.realkafka.errors import KafkaUnavailableError

__all__ = ["LONG_RUN", "Cluster", "KafkaUnavailableError"]
