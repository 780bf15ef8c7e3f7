"""The embedded PostgreSQL: find its binaries, make its cluster, run it as a child that never outlives Kho."""
