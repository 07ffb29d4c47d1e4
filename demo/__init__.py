"""`make demo`: every line of real text through a real Kafka with Ottla, and back, checked."""
