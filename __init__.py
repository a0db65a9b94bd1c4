"""dyad: co-design of mixed-precision neural-network accelerators."""
