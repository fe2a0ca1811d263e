"""Prints the table: `python -m tests.conformance [--only NAME]... [--stall S] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import structlog

from tests.conformance import SENDERS
from tests.conformance.running import STALL_S, conformance, place
from tests.conformance.scoring import table


def main() -> int:
    """Run and print; 1 if a file was taken too early, left or taken twice, or a sender failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", action="append", default=[], choices=sorted(SENDERS), metavar="NAME")
    parser.add_argument("--stall", type=float, default=STALL_S, metavar="S", help="seconds a sender stops half way")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began_s = time.monotonic()
    rows = conformance(asked.only, stall_s=asked.stall)
    print(table(rows))
    print(f"{len(rows)} senders in {time.monotonic() - began_s:.0f} s, stalls of {asked.stall:g} s, below {place()}")
    if asked.json is not None:
        asked.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    return int(not all(row.is_good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
