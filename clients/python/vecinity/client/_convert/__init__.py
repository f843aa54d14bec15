"""Arguments to requests and responses to results; shared by both clients. Pure functions."""
