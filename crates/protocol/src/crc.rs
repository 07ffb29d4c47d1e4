//! Checksums: CRC32C of record batches, CRC32 of short keys.
