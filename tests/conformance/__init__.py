"""Conformance: real programs put clips into a watched folder, and every take is judged by its bytes."""

from tests.conformance import browsers, copying, editors, network, syncing, writers  # noqa: F401 - they enter senders
from tests.conformance.desk import SENDERS

__all__ = ["SENDERS"]
