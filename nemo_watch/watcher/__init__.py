"""The eyes on one inbox: native events as hints, listings as the truth, drops handed to the pipeline.

Touches: the inbox's folder (reading only), inotify, threads of its own.
"""

from nemo_watch.openbelow import open_below
from nemo_watch.watcher.core import Watcher
from nemo_watch.watcher.inspecting import Sniffed, Sniffer

__all__ = ["Sniffed", "Sniffer", "Watcher", "open_below"]
