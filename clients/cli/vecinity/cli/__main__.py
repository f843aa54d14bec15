"""``python -m vecinity.cli`` is ``vecinity``."""

from vecinity.cli.app import run

run()
