"""The command line, the outermost ring.

Query commands need the client alone; `build`, `serve` and `demo` import the indexer and the service when they run.
"""
