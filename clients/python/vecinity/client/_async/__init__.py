"""The clients: `_sync` is generated from `_async`."""
