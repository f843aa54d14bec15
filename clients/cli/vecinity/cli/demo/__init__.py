"""What `vecinity demo` shows: a small world of facts, and the text that teaches it to an embedder."""
