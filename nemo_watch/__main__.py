"""`python -m nemo_watch` is `nemo-watch`."""

from nemo_watch.cli import main

main()
