"""Benchmarks on real Kafka: Ottla beside confluent-kafka and beside the floor, in one run (`make bench`)."""
