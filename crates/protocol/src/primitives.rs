//! The checked reader, the writer and their errors.
