"""The config: where it is found, what it says, and every mistake in it at once. On a made-up disk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyfakefs.fake_filesystem import FakeFilesystem

from nemo_watch import config
from nemo_watch.config import Config
from nemo_watch.config.example import duration, example
from nemo_watch.config.options import seconds
from nemo_watch.errors import ConfigError

ENV = {"HOME": "/home/someone"}


def _build(text: str, env: dict[str, str] | None = None) -> Config:
    return config.build(text, ENV | (env or {}), base="/srv/cfg", source="/srv/cfg/config.toml")


def _problems(text: str, env: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        _build(text, env)
    assert caught.value.code == "config"
    assert caught.value.hint
    return caught.value.problems


# ---------------------------------------------------------------- values


def test_no_file_means_one_inbox_and_the_cloud(fs: FakeFilesystem) -> None:
    found = config.load(None, ENV)
    assert found.source is None
    assert found.backend.url == "https://mega-api-prod.nemovideo.ai"
    assert found.backend.give_up_after == 86400.0
    assert found.state.path == "/home/someone/.local/state/nemo-watch"
    assert found.state.spool == "/home/someone/.local/state/nemo-watch/spool"
    (inbox,) = found.inboxes
    assert (inbox.path, inbox.outbox) == ("/home/someone/nemo-watch/inbox", "/home/someone/nemo-watch/outbox")
    assert (inbox.rejects, inbox.archive) == ("/home/someone/nemo-watch/rejects", "/home/someone/nemo-watch/archive")
    assert found.unnamed == {("videos", "outbox"), ("videos", "rejects"), ("videos", "archive")}


def test_the_example_equals_the_defaults() -> None:
    assert replace(_build(example()), source=None) == replace(_build(""), source=None)


def test_every_kind_of_value() -> None:
    found = _build("""
        backend = { url = "sandbox", render_poll = 2.5, token_file = "token" }
        [state]
        path = "~/state"
        [queue]
        stop_wait = 0
        [[inbox]]
        path = "in/../drops/"
        outbox = "/out"
        settle = "1m 30s"
        ignore = ["*.bak"]
        originals = "keep"
        [[inbox]]
        name = "second"
        path = "/nas/x/y"
        settle = "auto"
        [sandbox]
        fonts_dir = "fonts"
        speech_model = "models/small"
    """)
    assert found.backend.url == "sandbox"
    assert (found.backend.render_poll, found.backend.token_file) == (2.5, "/srv/cfg/token")
    assert (found.state.path, found.state.spool) == ("/home/someone/state", "/home/someone/state/spool")
    one, two = found.inboxes
    assert (one.path, one.outbox, one.rejects) == ("/srv/cfg/drops", "/out", "/srv/cfg/rejects")
    assert (one.settle, one.ignore, one.originals) == (90.0, ("*.bak",), "keep")
    assert (two.archive, two.settle) == ("/nas/x/archive", "auto")
    assert found.sandbox.fonts_dir == "/srv/cfg/fonts"
    assert found.sandbox.speech_model == "/srv/cfg/models/small"
    assert ("videos", "outbox") not in found.unnamed
    assert ("second", "outbox") in found.unnamed


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("30s", 30), ("5m", 300), ("24h", 86400), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800), (" 1H 30M ", 5400),
        ("0.5s", 0.5), (12, 12), (1.5, 1.5), ("15", 15), (0, 0),
    ],
)  # fmt: skip
def test_durations(text: object, length_s: float) -> None:
    assert seconds(text) == pytest.approx(length_s)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "5 minutes", "5x", "-5s", "1h-5m", -1, True, None, [], float("nan"), float("inf"), 10**400, "99999d"],
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


@given(st.integers(0, 10**10).map(lambda length_ms: length_ms / 1000))
def test_a_duration_is_read_as_it_was_written(length_s: float) -> None:
    assert seconds(duration(length_s)) == pytest.approx(length_s)


def test_state_folder_from_the_environment() -> None:
    assert _build("", {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}).state.path == "/var/lib/a"
    assert _build("", {"XDG_STATE_HOME": "/st"}).state.path == "/st/nemo-watch"
    assert _build("", {"XDG_STATE_HOME": "not/absolute"}).state.path == "/home/someone/.local/state/nemo-watch"
    assert _build('[state]\npath = "/own"', {"STATE_DIRECTORY": "/var/lib/a"}).state.path == "/own"


# ---------------------------------------------------------------- environment


def test_the_environment_overrides_any_key() -> None:
    found = _build(
        '[backend]\nurl = "sandbox"\n[[inbox]]\npath = "/a/in"',
        {
            "NEMO_API_URL": "http://127.0.0.1:9/",
            "NEMO_WEB_URL": "https://example.org",
            "NEMO_WATCH_QUEUE__WORKERS": "7",
            "NEMO_WATCH_QUEUE__STOP_WAIT": "5m",
            "NEMO_WATCH_INBOX__0__NAME": "2024",
            "NEMO_WATCH_INBOX__0__SETTLE": "5",
            "NEMO_WATCH_INBOX__0__RECURSIVE": "false",
            "NEMO_WATCH_INBOX__0__IGNORE": '["*.bak"]',
            "NEMO_WATCH_INBOX__1__PATH": "/b/in",
            "NEMO_WATCH_CONFIG": "/elsewhere",
            "NEMO_WATCH_SERVICE_HOST": "10.0.0.1",
            "NEMO_TOKEN": "never looked at here",
        },
    )
    assert (found.backend.url, found.backend.web_url) == ("http://127.0.0.1:9", "https://example.org")
    assert (found.queue.workers, found.queue.stop_wait) == (7, 300.0)
    one, two = found.inboxes
    assert (one.name, one.settle, one.recursive, one.ignore) == ("2024", 5.0, False, ("*.bak",))
    assert (two.name, two.path) == ("videos", "/b/in")


def test_the_tenth_inbox_comes_after_the_second() -> None:
    paths = {f"NEMO_WATCH_INBOX__{number}__PATH": f"/{number}/in" for number in range(11)}
    names = {f"NEMO_WATCH_INBOX__{number}__NAME": f"n{number}" for number in range(11)}
    assert [inbox.path for inbox in _build("", paths | names).inboxes] == list(paths.values())


def test_the_exact_variable_wins_and_an_empty_address_is_none() -> None:
    found = _build("", {"NEMO_API_URL": "https://a.org", "NEMO_WATCH_BACKEND__URL": "sandbox", "NEMO_WEB_URL": ""})
    assert found.backend.url == "sandbox"
    assert found.backend.web_url == "https://nemovideo.com"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NEMO_WATCH_QUEUE__WORKRS", "1", "did you mean NEMO_WATCH_QUEUE__WORKERS?"),
        ("NEMO_WATCH_BACKEND_URL", "sandbox", "did you mean NEMO_WATCH_BACKEND__URL?"),
        ("NEMO_WATCH_INBOX__0__PTH", "/a", "did you mean NEMO_WATCH_INBOX__0__PATH?"),
        ("NEMO_WATCH_INBOX__PATH", "/a", "did you mean NEMO_WATCH_INBOX__0__PATH?"),
        ("NEMO_WATCH_INBOX__2__PATH", "/a", "number them from 0"),
        ("NEMO_WATCH_QUEUE__WORKERS", "many", "must be a whole number"),
        ("NEMO_API_URL", "http://example.org", "must begin with https://"),
        ("NEMO_WATCH_INBOX__0__SETTLE", "soon", "must be a duration"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, said: str) -> None:
    (problem,) = _problems("", {name: value})
    assert problem.startswith(f"{name}: ")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ('[backend]\ntoken = "nmv_usr_1"', {}),
        ("", {"NEMO_WATCH_BACKEND__TOKEN": "nmv_usr_1"}),
        ('[backend]\nurl = "https://u:nmv_usr_1@example.org"', {}),
        ('[backend]\nweb_url = "https://example.org/?token=nmv_usr_1"', {}),
    ],
)
def test_a_token_is_refused_and_never_repeated(text: str, env: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        _build(text, env)
    told = f"{caught.value} {caught.value.hint} {caught.value.problems}"
    assert "nmv_usr_1" not in told
    assert "NEMO_TOKEN" in told or "bare address" in told


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "line 1, column 6: Invalid value"),
        ("workers = 3", 'line 1: "workers" is not a section of the config (it belongs into [queue])'),
        ("[backnd]", 'line 1: "backnd" is not a section of the config (did you mean "backend"?)'),
        ("[status]\nlisten = 1", 'line 1: "status" is not a section'),
        ("[queue]\n\nworker = 3", 'line 3: "worker" is not a key of [queue] (did you mean "workers"?)'),
        ('[queue]\nhour = "22:00-06:00"', 'line 2: "hour" is not a key of [queue] (did you mean "hours"?)'),
        ('[queue]\nhours = "22-6"', 'line 2: "hours" in [queue] must be a window by the local clock'),
        ('[queue]\nhours = "22:00-24:00"', 'line 2: "hours" in [queue] must be a window by the local clock'),
        ('[queue]\nhours = "22:00-22:00"', 'line 2: "hours" in [queue] must not end when it begins'),
        ("[queue]\nhours = 22", 'line 2: "hours" in [queue] must be text in quotes'),
        ("[budget]\ncredits_per_day = 49", 'line 2: "credits_per_day" in [budget] would let nothing begin'),
        ("[budget]\ncredits_per_day = -1", 'line 2: "credits_per_day" in [budget]'),
        ("[budget]\ncredits = 100", 'line 2: "credits" is not a key of [budget] (did you mean "credits_per_day"?)'),
        ("[queue]\nworkers = '4'", 'line 2: "workers" in [queue] must be a whole number, without quotes'),
        ("[queue]\nworkers = 0", "line 2: "),
        ("[queue]\nworkers = true", "line 2: "),
        ("queue = 3", "line 1: [queue] must be a section"),
        ("inbox = []", "line 1: [[inbox]] must be there"),
        ("[inbox]\npath = '/a'", "line 1: an inbox is written with two brackets"),
        ("inbox = ['a']", "line 1: [[inbox]] must be a section"),
        ("[[inbox]]\npath = ''", 'line 2: "path" in [[inbox]] must not be empty'),
        ("[[inbox]]\npath = '~nobody-here/a'", "line 2: the home folder"),
        ('[[inbox]]\npath = "a\\u0000b"', "line 2: "),
        ("[[inbox]]\nname = ' '", 'line 2: "name" in [[inbox]] must be a short name'),
        ("[[inbox]]\naccept = 'vidoe'", 'line 2: "accept" in [[inbox]] must be one of "video" or "all"'),
        ("[[inbox]]\nlanguage = 'english please'", 'line 2: "language" in [[inbox]] must look like "en"'),
        ("[[inbox]]\nrecursive = 1", 'line 2: "recursive" in [[inbox]] must be true or false'),
        ("[[inbox]]\nignore = '*.bak'", 'line 2: "ignore" in [[inbox]] must be a list'),
        ("[[inbox]]\nignore = ['']", 'line 2: "ignore" in [[inbox]] must not be empty'),
        ("[[inbox]]\nwatch = 'inotify'", 'line 2: "watch" in [[inbox]] must be one of "auto", "native" or "polling"'),
        ("[[inbox]]\npoll = '0s'", 'line 2: "poll" in [[inbox]] must be longer than zero'),
        ("[[inbox]]\nrescan = 0", 'line 2: "rescan" in [[inbox]] must be longer than zero'),
        ("[backend]\nurl = 'example.org'", "line 2: "),
        ("[backend]\nurl = 'ftp://example.org'", "line 2: "),
        ("[backend]\nurl = 'https://example.org:port'", "line 2: "),
        ("[backend]\nurl = 'http://127.0.0.1.example.org'", "line 2: "),
        ("[backend]\nweb_url = 'sandbox'", "line 2: "),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, said: str) -> None:
    (problem,) = _problems(text)
    assert problem.startswith(said)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "127.8.9.1", "[::1]:8080"])
def test_plain_http_only_to_this_machine(host: str) -> None:
    assert _build(f"[backend]\nurl = 'http://{host}'").backend.url == f"http://{host}"


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    problems = _problems(
        "[queue]\nworker = 1\nworkers = 'x'\n[[inbox]]\npath = '/a'\noutbox = '/a/out'\nsettle = 'soon'\n[nothing]\n",
        {"NEMO_WATCH_SANDBOX__CREDITS": "-1"},
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "NEMO_WATCH_SANDBOX__CREDITS", "line 2", "line 3", "line 6", "line 7", "line 8",
    ]  # fmt: skip


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("[[inbox]]\npath = '/a'\noutbox = '/a/out'", ("/a", "/a/out")),
        ("[[inbox]]\npath = '/a/b'\nrejects = '/a'", ("/a/b", "/a")),
        ("[[inbox]]\npath = '/a/b'\narchive = '/a/b/'", ("/a/b", "/a/b")),
        ("[[inbox]]\npath = '/a/b'\n[state]\npath = '/a/b/state'", ("/a/b", "/a/b/state")),
        ("[[inbox]]\npath = '/a/b'\n[state]\nspool = '/a/b/spool'", ("/a/b", "/a/b/spool")),
        ("[[inbox]]\npath = '/a/b'\noutbox = '/x'\narchive = '/x'", ("/x",)),
        ("[[inbox]]\npath = '/a/b'\n[[inbox]]\nname = 'c'\npath = '/c/d'\noutbox = '/a/b/c'", ("/a/b", "/a/b/c")),
    ],
)
def test_folders_that_contain_each_other_are_refused(text: str, paths: tuple[str, ...]) -> None:
    (problem,) = _problems(text)
    assert all(f"({path})" in problem for path in paths)


def test_inboxes_that_overlap_or_share_a_name() -> None:
    same = "[[inbox]]\npath = '/a/b'\n[[inbox]]\npath = '/c/d'"
    assert "two inboxes are called" in _problems(same)[0]
    nested = "[[inbox]]\npath = '/a/in'\n[[inbox]]\nname = 'x'\npath = '/a/in/x'\noutbox = '/o'\nrejects = '/r'\n"
    (problem,) = _problems(nested + "archive = '/s'")
    assert "(/a/in)" in problem
    assert "(/a/in/x)" in problem
    assert _build("[[inbox]]\npath = '/a/in'\n[[inbox]]\nname = 'x'\npath = '/a/in-2'").inboxes[1].outbox == "/a/outbox"


def test_links_are_seen_through(fs: FakeFilesystem) -> None:
    fs.create_dir("/a/in/deep")
    fs.create_symlink("/out", "/a/in/deep")
    found = _build("[[inbox]]\npath = '/a/in'\noutbox = '/out'")
    (problem,) = config.check_layout(found)
    assert "(/a/in/deep)" in problem
    assert config.check_layout(_build("[[inbox]]\npath = '/a/in'")) == []


def test_an_inbox_that_is_a_mount_point_needs_named_folders(fs: FakeFilesystem) -> None:
    fs.add_mount_point("/mnt/nas")
    (problem,) = config.check_layout(_build("[[inbox]]\npath = '/mnt/nas'\nrejects = '/r'"))
    assert "outbox and archive" in problem
    assert "/mnt/nas" in problem
    named = "[[inbox]]\npath = '/mnt/nas'\nrejects = '/r'\noutbox = '/mnt/outbox'\narchive = '/s'"
    assert config.check_layout(_build(named)) == []


# ---------------------------------------------------------------- files


def test_where_it_is_found(fs: FakeFilesystem) -> None:
    env = ENV | {"XDG_CONFIG_HOME": "/xdg"}
    assert config.find(None, env) is None
    fs.create_file("/etc/nemo-watch/config.toml")
    assert config.find(None, env) == "/etc/nemo-watch/config.toml"
    fs.create_file("/home/someone/.config/nemo-watch/config.toml")
    assert config.find(None, ENV) == "/home/someone/.config/nemo-watch/config.toml"
    fs.create_file("/xdg/nemo-watch/config.toml")
    assert config.find(None, env) == "/xdg/nemo-watch/config.toml"
    fs.create_file("/home/someone/own.toml")
    assert config.find(None, env | {"NEMO_WATCH_CONFIG": "~/own.toml"}) == "/home/someone/own.toml"
    fs.create_file("/asked.toml")
    assert config.find("/asked.toml", env | {"NEMO_WATCH_CONFIG": "~/own.toml"}) == "/asked.toml"


@pytest.mark.parametrize(("asked", "variable"), [("/gone.toml", ""), (None, "/gone.toml")])
def test_a_file_that_was_asked_for_must_be_there(fs: FakeFilesystem, asked: str | None, variable: str) -> None:
    with pytest.raises(ConfigError, match=r"/gone\.toml .* does not exist"):
        config.load(asked, ENV | {"NEMO_WATCH_CONFIG": variable})


def test_the_file_is_read_with_paths_beside_it(fs: FakeFilesystem) -> None:
    fs.create_file("/srv/a/c.toml", contents=b"\xef\xbb\xbf[[inbox]]\r\npath = 'drops/in'\r\n")
    found = config.load("/srv/a/c.toml", ENV)
    assert found.source == "/srv/a/c.toml"
    assert found.inboxes[0].path == "/srv/a/drops/in"


def test_a_file_that_cannot_be_read(fs: FakeFilesystem) -> None:
    fs.create_file("/latin.toml", contents=b"# ok\n# caf\xe9\n")
    with pytest.raises(ConfigError, match="line 2: the byte at offset 10 is not UTF-8"):
        config.load("/latin.toml", ENV)
    fs.create_dir("/folder.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load("/folder.toml", ENV)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_is_a_config_or_our_error(text: str) -> None:
    for each in (text, f"[[inbox]]\nname = {text}", f"{text} = 1"):
        failure: ConfigError | None = None
        try:
            _build(each)
        except ConfigError as error:
            failure = error
        assert failure is None or all(failure.problems)
