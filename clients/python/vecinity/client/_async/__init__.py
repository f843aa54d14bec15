"""The client for asyncio, and the source of the blocking one."""
