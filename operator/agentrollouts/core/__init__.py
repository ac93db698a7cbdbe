"""The functional core: given the same Snapshot it gives the same Decision. No I/O, clock, randomness or logging."""
