"""Protobuf messages to what the engine takes, and back: the only place that knows both. Requests are validated."""
