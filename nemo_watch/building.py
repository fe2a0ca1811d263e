"""What the daemon is built of, one room each: also for commands that look at the same things without a daemon.

Touches: the daemon's own folders (making them), the folders of the config (looking which they are).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from nemo_watch import skills
from nemo_watch.client import Client, Credentials, Timeouts
from nemo_watch.config import Config, Inbox, check_layout
from nemo_watch.errors import ConfigError, OperatorError
from nemo_watch.folders import Places
from nemo_watch.folders.marker import Role
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S, GuardedFolder, identify, is_mount, real_path
from nemo_watch.intake import InboxRules as IntakeRules
from nemo_watch.intake import Intake, SettleRules, settle_rules
from nemo_watch.pipeline import InboxRules
from nemo_watch.statefolder import private_folder


def build_intake(inbox: Inbox, settle: SettleRules | None = None) -> Intake:
    """Build the rules of one inbox; `settle` replaces its waiting times."""
    settle_s = None if inbox.settle == "auto" else float(inbox.settle)
    return Intake(
        IntakeRules(
            name=inbox.name,
            instruction=inbox.instruction,
            accept_all=inbox.accept == "all",
            recursive=inbox.recursive,
            ignore=inbox.ignore,
        ),
        settle or settle_rules(settle_s=settle_s, sidecar_wait_s=inbox.sidecar_wait),
    )


def inbox_rules(inbox: Inbox, folder: Callable[[str, Role], GuardedFolder]) -> InboxRules:
    """Build what the pipeline must know of an inbox; `folder(path, role)` gives what touches a folder."""
    return InboxRules(
        name=inbox.name,
        places=Places(inbox.path, inbox.outbox, inbox.rejects, inbox.archive),
        inbox=folder(inbox.path, "inbox"),
        outbox=folder(inbox.outbox, "target"),
        rejects=folder(inbox.rejects, "target"),
        archive=folder(inbox.archive, "target"),
        language=inbox.language,
        skill=inbox.skill,
        instruction=inbox.instruction,
        originals=inbox.originals,
        duplicates=inbox.duplicates,
    )


def own_folder(path: str) -> None:
    """Make a folder of the daemon's own, and give up on one that hangs. Raises: FolderError, OperatorError."""
    try:
        answer_within(START_WAIT_S, private_folder, path)
    except NoAnswerError as error:
        raise OperatorError(
            f"The daemon's own folder {path} has not answered for {START_WAIT_S:g} s.",
            code="state",
            hint="Look at the disk or share it lies on, or name another one in the config ([state] path or spool).",
        ) from error


def refuse_bad_layout(config: Config) -> None:
    """See what only the disk and the other rooms can tell of a config. Raises: ConfigError with every problem."""
    problems = [*check_layout(config, cache(real_path), is_mount, identify)]
    problems += [f'inbox "{inbox.name}": {said}' for inbox in config.inboxes if (said := skills.problem(inbox.skill))]
    if problems:
        raise ConfigError("The config cannot work.", problems=tuple(problems))


def build_client(config: Config, url: str, env: Mapping[str, str], timeouts: Timeouts | None = None) -> Client:
    """Build the voice to the backend. The sandbox keeps an account of its own, whatever its port is today."""
    account = "sandbox" if config.backend.url == "sandbox" else url
    credentials = Credentials(config.state.path, env=env, token_file=config.backend.token_file, account=account)
    return Client(api_url=url, web_url=config.backend.web_url, credentials=credentials, timeouts=timeouts)
