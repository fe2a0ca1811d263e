"""What every test may ask for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No example is late on a shared machine. A check of the same code must give the same answer twice: where CI runs the
# examples are always the same ones; at a desk they are new ones each time, and find what nobody thought of.
settings.register_profile("nemo-watch", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("nemo-watch")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: most tests wait for a file system or a clock half of their time."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary folder that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
