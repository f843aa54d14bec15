"""Edges: each turns one transport into calls of the pipeline. Nothing else knows a transport."""
