"""What a rollout would do, before it does it: synthetic or recorded evidence through the real decision path. No I/O, no clock."""
