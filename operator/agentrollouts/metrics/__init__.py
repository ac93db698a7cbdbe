"""Where the agents' counters come from: one file a source, one contract suite for all."""
