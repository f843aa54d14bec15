"""Everything that answers queries. `server` puts the rooms together; ARCHITECTURE.md has the map."""
