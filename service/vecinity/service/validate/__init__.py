"""Checks of requests that need nothing but the request and the limits. Pure functions.

What depends on the collection (its dimension, its metric, whether an id exists) is checked by the engine.
"""
