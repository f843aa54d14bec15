"""Everything that makes, stores and reads an index. Knows nothing of networks."""
