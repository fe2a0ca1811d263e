"""Decides which files of an inbox are whole, what instruction goes with each, and why the others wait. Pure."""

from nemo_watch.intake.core import Intake
from nemo_watch.intake.names import NameRules, printable
from nemo_watch.intake.rules import Decision, InboxRules, Inspection, SettleRules, Verdict, Writer, settle_rules

__all__ = [
    "Decision",
    "InboxRules",
    "Inspection",
    "Intake",
    "NameRules",
    "SettleRules",
    "Verdict",
    "Writer",
    "printable",
    "settle_rules",
]
