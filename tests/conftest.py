"""What every test may ask for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary folder that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
