"""Print config.example.toml. Touches: standard output."""

import sys

from nemo_watch.config.example import example

sys.stdout.write(example())
