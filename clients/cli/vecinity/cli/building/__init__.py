"""``vecinity build``."""
