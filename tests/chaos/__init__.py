"""Brokers die and come back under a group that reads and a producer that writes: nothing acknowledged is lost.

`scenario` runs it over any cluster with `kill`, `stop` and `restart`; the Python tests run a few rounds, ``make chaos``
many (``python -m tests.chaos --help``).
"""
