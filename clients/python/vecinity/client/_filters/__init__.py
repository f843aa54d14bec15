"""Filters as text and as messages; `vecinity.client.filters` is their public face."""
