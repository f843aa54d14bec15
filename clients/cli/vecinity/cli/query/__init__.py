"""Commands that ask a server or a data directory; they need the client alone."""
