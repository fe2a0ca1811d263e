"""nemo-watch: drop a video and a text file into a folder, get the finished video back."""

__version__ = "0.1.0"
