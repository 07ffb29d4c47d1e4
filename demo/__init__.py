"""`make demo`: every line of real text through Kafka with Ottla, read back by a group of two, checked."""
