"""The one error of the harness: what is missing or did not start, and what to do about it."""


class KafkaUnavailableError(Exception):
    """Kafka could not be fetched or started. The text says what to install or where to look."""
