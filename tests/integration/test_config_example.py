"""config.example.toml is what the program itself prints. Touches: the file, a child process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nemo_watch.config.example import example

ROOT = Path(__file__).parents[2]


def test_the_example_file_is_in_step() -> None:
    printed = subprocess.run([sys.executable, "-m", "nemo_watch.config"], capture_output=True, check=True, timeout=60)
    assert printed.stdout.decode() == example()
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == example()
