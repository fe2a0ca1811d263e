"""The eyes on one inbox: native events as hints, listings as the truth, drops handed to the pipeline.

Touches: the inbox's folder (reading only), inotify, threads of its own.
"""

from nemo_watch.watcher.core import Watcher
from nemo_watch.watcher.disk import Sniffed, Sniffer, open_below

__all__ = ["Sniffed", "Sniffer", "Watcher", "open_below"]
