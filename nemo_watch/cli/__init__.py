"""The front door: every command, its options, its exit code and the words for what goes wrong.

Touches: the terminal. Rooms are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Optional

import typer
from rich.console import Console

from nemo_watch import __version__
from nemo_watch.cli import completing
from nemo_watch.cli.commands import PlainCommand, PlainGroup
from nemo_watch.errors import ConfigError, NemoWatchError

EXIT_GOOD, EXIT_FOUND, EXIT_USAGE, EXIT_WAITING, EXIT_CONFIG = 0, 1, 2, 75, 78

app = typer.Typer(
    name="nemo-watch",
    cls=PlainGroup,
    help="Drop a video and a text file into a folder, get the finished video back.",
    epilog="Begin with: nemo-watch demo. Then: nemo-watch init, and nemo-watch run.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

START, LOOK, ACT, MORE = "Get started", "Look", "Act", "More"
"""The panels that --help sorts the commands into."""

ConfigOption = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option("--config", "-c", metavar="FILE", help="The config file; without it the usual places are looked at."),
]
JobArgument = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="A job's id or the beginning of it, or a clip that one job alone knows.",
        autocompletion=completing.jobs,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextlib.contextmanager
def _errors_as(as_json: bool) -> Iterator[None]:
    """Say an error as JSON where JSON was asked for: a program reads standard output whatever happens."""
    try:
        yield
    except NemoWatchError as error:
        if not as_json:
            raise
        problems = error.problems if isinstance(error, ConfigError) else ()
        told = {"error": error.message, "code": error.code, "hint": error.hint, "problems": list(problems)}
        print(json.dumps(told, indent=2))
        raise typer.Exit(_exit_code(error)) from error


def _exit_code(error: NemoWatchError) -> int:
    if isinstance(error, ConfigError):
        return EXIT_CONFIG
    return EXIT_USAGE if error.code == "usage" else EXIT_FOUND


def _version(asked: bool) -> None:
    if asked:
        print(f"nemo-watch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Drop a video and a text file into a folder, get the finished video back."""


@app.command(rich_help_panel=START)
def demo(
    keep: Annotated[bool, typer.Option(help="Keep the demo's folder so that you can play the result.")] = True,
) -> None:
    """Show the whole story in a temporary folder, on the sandbox: no account, no network, no set-up."""
    from nemo_watch.cli.demo import run_demo

    raise typer.Exit(run_demo(keep=keep))


@app.command(rich_help_panel=START, epilog="nemo-watch init --sandbox tries it without an account.")
def init(
    config: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--config", "-c", metavar="FILE", help="Where to write it; default ~/.config/nemo-watch/config.toml."
        ),
    ] = None,
    folder: Annotated[
        str, typer.Option(metavar="DIR", help="The folder that holds inbox, outbox, rejects and archive.")
    ] = "~/nemo-watch",
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the embedded backend: no account, no network.")
    ] = False,
) -> None:
    """Write a config and make the folders."""
    from nemo_watch.cli.setup import run_init

    raise typer.Exit(run_init(config, folder, sandbox=sandbox))


@app.command(
    rich_help_panel=START,
    epilog="nemo-watch run --once is for cron: it ends with 0, with 1 (rejected) or with 75 (something waits).",
)
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Work off what can go on now, then exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every small step, too.")] = False,
) -> None:
    """Watch the inboxes and work until it is told to stop."""
    from nemo_watch.cli.running import run_daemon

    raise typer.Exit(run_daemon(config, once=once, verbose=verbose))


@app.command(rich_help_panel=START)
def check(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Take over folders that another nemo-watch owns, or that are not the ones they were. Stop the other "
            "one first.",
        ),
    ] = False,
) -> None:
    """Look at config, folders and backend, and say how to mend what is wrong."""
    from nemo_watch.cli.checking import run_check

    with _errors_as(as_json):
        raise typer.Exit(run_check(config, as_json=as_json, adopt=adopt))


@app.command(rich_help_panel=LOOK, epilog="Example: nemo-watch status --watch")
def status(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it until Ctrl-C; in a pipe, a line for each change.")
    ] = False,
) -> None:
    """Show what is being done, what waits and why, and what came of the rest."""
    from nemo_watch.cli.status import run_status

    with _errors_as(as_json):
        raise typer.Exit(run_status(config, as_json=as_json, watch=watch))


@app.command(rich_help_panel=LOOK, epilog="Example: nemo-watch why talk.mp4")
def why(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path, or a name below one of the inboxes.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in one sentence which rule holds a file, since when, and what comes next."""
    from nemo_watch.cli.why import run_why

    with _errors_as(as_json):
        raise typer.Exit(run_why(config, file, as_json=as_json))


@app.command(rich_help_panel=LOOK, epilog="Example: nemo-watch plan inbox/shorts")
def plan(
    what: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Argument(
            metavar="INBOX|PATH",
            help="An inbox's name, or a file or folder in one; default: all.",
            autocompletion=completing.inboxes,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would happen to each file, what would be sent and what it would cost; no network, no writes."""
    from nemo_watch.cli.plan import run_plan

    with _errors_as(as_json):
        raise typer.Exit(run_plan(config, what, as_json=as_json))


@app.command(rich_help_panel=ACT)
def resume(
    inbox: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Argument(
            metavar="INBOX", help="The inbox that is to go on; default: all.", autocompletion=completing.inboxes
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the pause and let inboxes go that wait for your word; without a name, every hold is looked at again."""
    from nemo_watch.cli.levers import run_resume

    with _errors_as(as_json):
        raise typer.Exit(run_resume(config, inbox, as_json=as_json))


@app.command(rich_help_panel=LOOK, epilog="Example: nemo-watch show talk.mp4")
def show(
    job: JobArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    link: Annotated[
        bool, typer.Option("--link", help="Ask for a link that opens its session in a browser; it is a credential.")
    ] = False,
) -> None:
    """Show one job: its steps with times, the reply, the timeline, credits, exports, and where its files are."""
    from nemo_watch.cli.show import run_show

    with _errors_as(as_json):
        raise typer.Exit(run_show(config, job, link=link, as_json=as_json))


@app.command(rich_help_panel=ACT, epilog="Example: nemo-watch retry talk.mp4 --from render")
def retry(
    job: JobArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="STEP",
            autocompletion=completing.steps,
            help="Go on from this step: session, upload, edit (sends the message again, which may be charged again), "
            "edit-2, render, download or deliver.",
        ),
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Have the clip edited anew, in a new session: it is paid again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask at the terminal whether to pay again.")] = False,
) -> None:
    """Let a job go on from its last good step; what was paid is not paid again, unless you say so."""
    from nemo_watch.cli.retrying import run_retry

    with _errors_as(as_json):
        raise typer.Exit(run_retry(config, job, start=start, fresh=fresh, yes=yes, as_json=as_json))


@app.command(rich_help_panel=ACT)
def cancel(job: JobArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End a job: nothing paid, its file stays and is left alone; paid, it goes to rejects and can be retried free."""
    from nemo_watch.cli.retrying import run_cancel

    with _errors_as(as_json):
        raise typer.Exit(run_cancel(config, job, as_json=as_json))


@app.command(rich_help_panel=ACT)
def pause(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Begin no paid work until resume, over restarts too; what is paid goes on to its end."""
    from nemo_watch.cli.levers import run_pause

    with _errors_as(as_json):
        raise typer.Exit(run_pause(config, as_json=as_json))


@app.command("credits", rich_help_panel=LOOK)
def credits_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the account has, whose it is, and what of the day's budget is used."""
    from nemo_watch.cli.credits import run_credits

    with _errors_as(as_json):
        raise typer.Exit(run_credits(config, as_json=as_json))


@app.command(rich_help_panel=LOOK)
def skills(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the attribution profiles: installed or built in, what each sends, an example, and which inbox uses it."""
    from nemo_watch.cli.skills import run_skills

    with _errors_as(as_json):
        raise typer.Exit(run_skills(config, as_json=as_json))


@app.command(rich_help_panel=MORE)
def sandbox(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; loopback only.")
    ] = "127.0.0.1:8790",
    store: Annotated[
        str, typer.Option(metavar="DIR", help="Where it keeps accounts, sessions and results.")
    ] = "~/.local/state/nemo-watch/sandbox",
    credits: Annotated[int, typer.Option(min=0, metavar="N", help="With how many credits an account begins.")] = 10000,  # noqa: A002 - the word of the contract
    profile: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Which variant of the protocol it speaks: official, ar, adk1, adk2 or gateway."
        ),
    ] = "official",
    faults: Annotated[
        str, typer.Option(metavar="FILE", help="A TOML script of what goes wrong, for tests; see CONTRIBUTING.md.")
    ] = "",
    clock: Annotated[
        float,
        typer.Option(min=0.001, max=1e6, metavar="N", help="How many of its seconds pass in a real one, for tests."),
    ] = 1.0,
    speech_model: Annotated[
        str,
        typer.Option(metavar="DIR", help="A CTranslate2 Whisper model to hear captions with; else the extra's."),
    ] = "",
) -> None:
    """Run the embedded backend as a server of its own."""
    from nemo_watch.cli.running import run_sandbox

    code = run_sandbox(
        listen, store, credits=credits, profile=profile, faults=faults, clock=clock, speech_model=speech_model
    )
    raise typer.Exit(code)


@app.command(rich_help_panel=MORE, epilog="Example: nemo-watch schema status")
def schema(
    command: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND",
            help='The command; "error" is what each prints if it fails.',
            autocompletion=completing.schemas,
        ),
    ],
) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from nemo_watch.cli.schemas import print_schema

    raise typer.Exit(print_schema(command))


for each in app.registered_commands:
    each.cls = PlainCommand


def main() -> None:
    """Run the command line. Every error of ours is a sentence and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no such letter shows a "?"
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app(prog_name="nemo-watch")
    except ConfigError as error:
        for problem in error.problems:
            errors.print(f"config: {problem}", markup=False)
        if error.hint:
            errors.print(error.hint, markup=False)
        sys.exit(_exit_code(error))
    except NemoWatchError as error:
        errors.print(error.message, markup=False)
        if error.hint:
            errors.print(error.hint, markup=False)
        sys.exit(_exit_code(error))
