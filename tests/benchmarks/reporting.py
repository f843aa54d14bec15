"""What benchmarks say of themselves in their lines, and how they draw."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def commit(*, whole: bool = False) -> str | None:
    """What was measured, by its hash; None outside a checkout."""
    form = () if whole else ("--short",)
    done = subprocess.run(["git", "rev-parse", *form, "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def dataset(content: Any) -> str:
    """Which data it was measured with: a hash of bytes, or of a file."""
    return hashlib.sha256(content.read_bytes() if isinstance(content, Path) else content).hexdigest()[:12]


def pyplot() -> Any:
    """matplotlib, for pictures of which the same figures make the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "vecinity"
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
