"""Replies of the cloud API in every documented envelope and shape, and what goes out."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.client import values, wire
from nemo_watch.client.refusals import refusal
from nemo_watch.client.transport import base_url, is_loopback
from nemo_watch.client.upload import form_name
from nemo_watch.errors import CloudError, ConfigError, RefusedError, UnintelligibleError
from nemo_watch.model import Credits, RenderStatus, Session

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)


def unwrap(value: Any, status: int = 200, **more: Any) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return wire.unwrap(status, body, "testing", **more)


def refused(value: Any, status: int = 200, **more: Any) -> CloudError:
    with pytest.raises(CloudError) as caught:
        unwrap(value, status, **more)
    return caught.value


ENVELOPE_KEYS = ["code", "success", "data", "error", "detail", "message", "status", "url", "id"]
STATE = {"draft": {"t": []}, "video_infos": [{"id": 1}], "generated_media": {"a": 1}, "canvas_config": {"width": 1}}


class TestEnvelopes:
    @pytest.mark.parametrize(
        "value",
        [
            {"code": 0, "data": {"a": 1}},
            {"code": "0", "message": "ok", "data": {"a": 1}},
            {"code": 0.0, "a": 1},
            {"success": True, "data": {"a": 1}},
            {"success": True, "a": 1},
            {"a": 1},
        ],
    )
    def test_success(self, value: Any) -> None:
        assert unwrap(value) == {"a": 1}

    def test_a_byte_order_mark_is_taken(self) -> None:
        assert unwrap(b'\xef\xbb\xbf{"code":0,"data":{"a":1}}') == {"a": 1}

    def test_the_body_counts_before_the_status(self) -> None:
        assert unwrap({"code": 0, "data": {"a": 1}}, 500) == {"a": 1}
        assert refused({"code": 2001, "message": "x"}, 402).code == "2001"

    @pytest.mark.parametrize(
        ("value", "status", "code", "certain"),
        [
            ({"code": 1001, "message": "bad"}, 200, "1001", True),
            ({"code": "1002"}, 200, "1002", True),
            ({"code": 1010}, 200, "1001", True),
            ({"code": 1011}, 401, "1001", True),
            ({"code": 2001}, 200, "2001", True),
            ({"code": 4001}, 415, "4001", True),
            ({"code": 402}, 200, "402", True),
            ({"code": 429}, 200, "429", True),
            ({"code": 7777}, 200, "7777", True),
            ({"code": 40101}, 401, "1001", True),
            ({"code": "upgrade_needed"}, 402, "402", True),
            ({"code": 42900}, 429, "429", True),
            ({"code": 2001}, 429, "2001", True),
            ({"code": "quota_reached"}, 200, "quota_reached", True),
            ({"code": 500, "message": "oops"}, 200, "http_500", False),
            ({"code": 503}, 503, "http_503", False),
            ({"code": 2001}, 500, "2001", True),
            ({"success": False, "error": "nope"}, 200, "backend_error", False),
            ({"success": False, "error": "nope"}, 400, "400", True),
            ({"detail": "Session not found"}, 404, "404", True),
            ({"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required"}]}, 422, "422", True),
            ({"message": "x"}, 402, "402", True),
            ({}, 403, "403", True),
            ({}, 408, "http_408", False),
            ({"code": 50400, "message": "upstream timeout"}, 504, "50400", False),
            ({"code": -1}, 502, "-1", False),
            ({"code": "quota_reached"}, 500, "quota_reached", False),
            ({"code": 408}, 200, "http_408", False),
            ({}, 409, "409", True),
            ({}, 413, "4002", True),
            ({}, 415, "4001", True),
            ({"error": "x"}, 502, "http_502", False),
            (b"", 401, "1001", True),
            (b"", 503, "http_503", False),
            (b"<html>Too large</html>", 413, "4002", True),
            (b"slow down", 429, "429", True),
        ],
    )
    def test_refusals(self, value: Any, status: int, code: str, *, certain: bool) -> None:
        error = refused(value, status)
        assert isinstance(error, RefusedError)
        assert (error.code, error.refused) == (code, certain)
        assert error.message.endswith((".", '".'))
        assert error.hint.endswith(".")

    def test_an_unknown_session_is_1002_whatever_says_so(self) -> None:
        assert refused({"detail": "Session not found: nope"}, 404, session=True).code == "1002"
        assert refused({"code": 404}, 200, session=True).code == "1002"

    @pytest.mark.parametrize(
        ("body", "status", "certain"),
        [
            (b"<html><title>502 Bad Gateway</title></html>", 502, False),
            (b"upstream connect error", 200, False),
            (b"<html>Forbidden by the proxy</html>", 403, True),
            (b'{"code": 0', 200, False),
            (b"\xff\xfe\x00", 200, False),
            (b"[" * 100_000, 200, False),
        ],
    )
    def test_what_is_no_json_tells_its_status_and_first_words(self, body: bytes, status: int, *, certain: bool) -> None:
        error = refused(body, status)
        assert isinstance(error, UnintelligibleError)
        assert (error.code, error.status, error.refused) == ("bad_reply", status, certain)
        assert f"HTTP {status}" in error.message
        assert body[:5].decode("utf-8", "replace").strip("\x00") in error.message

    def test_secrets_in_an_error_are_not_repeated(self) -> None:
        message = "token nmv_usr_AbC-_1 at https://u:p@api.example.com/x?sig=1 is bad"
        error = refused({"code": 1001, "message": message})
        assert "nmv_usr" not in error.message
        assert "sig=" not in error.message
        assert "u:p" not in error.message

    def test_what_the_backend_says_is_quoted(self) -> None:
        assert 'The backend says: "too bad".' in refused({"code": 7, "message": "too bad"}).message
        assert '"too bad"' in refused({"success": False, "error": {"message": "too bad"}}).message

    def test_drafts_pass_through_value_for_value(self) -> None:
        text = '{"z":1,"a":{"n":5529798706024415232,"f":0.1,"e":1e-7,"s":"\\ud83d","u":"é","l":[1,1.0,true,null]}}'
        value = wire.loads(text.encode())
        again = wire.loads(wire.dumps(value))
        assert again == value
        assert list(again) == ["z", "a"]
        assert again["a"]["n"] == 5529798706024415232
        assert wire.dumps(value) == wire.dumps(again)

    @settings(max_examples=200)
    @given(
        st.binary(max_size=60)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ENVELOPE_KEYS), inner),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
        st.sampled_from([200, 201, 204, 400, 401, 402, 404, 409, 413, 429, 500, 503]),
    )
    def test_any_reply_is_a_value_or_an_error(self, body: bytes, status: int) -> None:
        readers = (
            lambda payload: wire.read_token(payload, "testing", NOW),
            lambda payload: wire.read_session(payload, "testing"),
            lambda payload: wire.read_state(payload, "testing"),
            lambda payload: wire.read_upload(payload, "testing", "clip.mp4", ""),
            lambda payload: wire.read_credits(payload, "testing"),
            lambda payload: wire.read_render(payload, "testing", "r"),
        )
        try:
            payload = wire.unwrap(status, body, "testing")
        except CloudError:
            return
        for read in readers:
            with contextlib.suppress(UnintelligibleError):
                read(payload)


class TestCodes:
    @pytest.mark.parametrize(
        "code", ["1001", "1002", "2001", "4001", "4002", "400", "402", "403", "404", "409", "422", "429"]
    )
    def test_messages_and_hints_are_sentences(self, code: str) -> None:
        error = refusal(code, "uploading clip.mp4", status=200)
        assert error.code == code
        assert error.message.endswith("(while uploading clip.mp4).")
        assert error.hint.endswith(".")
        assert ". (" not in error.message


class TestReaders:
    def test_token(self) -> None:
        told = {"token": "nmv_usr_x-_1", "user_id": "anon_1", "expires_at": "2026-03-25T00:00:00Z", "credits": 100}
        token = wire.read_token(told, "t", NOW)
        assert (token.token, token.user_id) == ("nmv_usr_x-_1", "anon_1")
        assert token.expires_at == datetime(2026, 3, 25, tzinfo=UTC)
        assert "nmv_usr" not in repr(token)

    def test_token_without_a_date_lives_seven_days(self) -> None:
        assert wire.read_token({"token": "x"}, "t", NOW).expires_at == NOW + timedelta(days=7)
        assert wire.read_token({"token": "x", "expires_at": "soon"}, "t", NOW).expires_at == NOW + timedelta(days=7)

    @pytest.mark.parametrize("payload", [{}, {"token": ""}, {"token": 5}, {"token": "a b"}, {"token": "ü"}, [], None])
    def test_no_token(self, payload: Any) -> None:
        with pytest.raises(UnintelligibleError):
            wire.read_token(payload, "t", NOW)

    @pytest.mark.parametrize(
        "payload",
        [
            {"task_id": "t1", "session_id": "5529798706024415232", "user_id": "anon_1"},
            {"task_id": "t1", "session_id": 5529798706024415232, "user": {"id": "anon_1"}},
            {"taskId": "t1", "session": {"id": "5529798706024415232"}, "bind_id": "anon_1"},
        ],
    )
    def test_session(self, payload: Any) -> None:
        assert wire.read_session(payload, "t") == Session("5529798706024415232", "t1", "anon_1")

    @pytest.mark.parametrize(
        "payload",
        [
            {"session_id": "1", "state": STATE},
            STATE,
            {"data": {"state": STATE}},
            {"data": STATE},
            {**STATE, "draft": None, "project": {"timeline_draft": {"t": []}}},
            {**STATE, "draft": '{"t": []}'},
            {**STATE, "video_infos": {"1": {"id": 1}}},
        ],
    )
    def test_state(self, payload: Any) -> None:
        state = wire.read_state(payload, "t")
        assert (state.draft, state.video_infos) == ({"t": []}, ({"id": 1},))
        assert (state.generated_media, state.canvas_config) == ({"a": 1}, {"width": 1})

    @pytest.mark.parametrize("draft", [None, {}, [], ""])
    def test_no_draft_yet(self, draft: Any) -> None:
        assert wire.read_state({"state": {"draft": draft}}, "t").draft == {}

    @pytest.mark.parametrize("draft", [5, [1], "<draft/>", "{"])
    def test_a_draft_of_another_kind_is_not_taken_for_none(self, draft: Any) -> None:
        with pytest.raises(UnintelligibleError):
            wire.read_state({"state": {"draft": draft}}, "t")

    @pytest.mark.parametrize(
        "payload",
        [
            {"files": [{"filename": "clip.mp4", "cdn_url": "https://c/x.mp4", "duration": "30.5"}]},
            {"uploaded_files": [{"url": "https://c/x.mp4", "duration": 30.5}]},
            {"url": "https://c/x.mp4", "duration": 30.5},
            {
                "files": [
                    {"filename": "other.mp4"},
                    {"filename": "clip.mp4", "url": "https://c/x.mp4", "duration": 30.5},
                ]
            },
        ],
    )
    def test_upload(self, payload: Any) -> None:
        found = wire.read_upload(payload, "t", "clip.mp4", "abc")
        assert (found.filename, found.url, found.duration_s) == ("clip.mp4", "https://c/x.mp4", 30.5)
        assert (found.sent_sha256, found.applied) == ("abc", False)

    @pytest.mark.parametrize(
        ("payload", "credits_"),
        [
            ({"available": 25000, "frozen": 40, "total": 25040}, Credits(25000, 40, 25040)),
            ({"available": "12.5"}, Credits(12.5, 0, 12.5)),
            ({"available": -3, "frozen": None, "total": None}, Credits(0, 0, 0)),
            ({"total": 50, "frozen": 10}, Credits(40, 10, 50)),
        ],
    )
    def test_credits(self, payload: Any, credits_: Credits) -> None:
        assert wire.read_credits(payload, "t") == credits_

    @pytest.mark.parametrize(
        "payload",
        [
            {"taskId": "r1", "status": "completed", "progress": 100,
             "output": {"url": "https://c/o.mp4", "duration": 30.5, "size": 15728640}},
            {"id": "r1", "status": "COMPLETED", "progress": "100", "outputUrl": "https://c/o.mp4", "duration": 30.5,
             "size": 15728640},
            {"render_id": "r1", "status": "done", "progress": 250, "output_url": "https://c/o.mp4",
             "output": {"duration": 30.5, "size": 15728640}},
            {"data": {"id": "r1", "status": "success", "progress": 100, "url": "https://c/o.mp4", "duration": 30.5,
             "size": 15728640}},
        ],
    )  # fmt: skip
    def test_a_completed_render(self, payload: Any) -> None:
        assert wire.read_render(payload, "t", "sent") == RenderStatus(
            "r1", "completed", 100.0, "https://c/o.mp4", 30.5, 15728640
        )

    @pytest.mark.parametrize(
        ("payload", "state", "error"),
        [
            ({"id": "r", "status": "pending"}, "pending", ""),
            ({"id": "r"}, "pending", ""),
            ({"status": "queued"}, "pending", ""),
            ({"status": "In Progress"}, "processing", ""),
            ({"status": "a new word"}, "processing", ""),
            ({"status": "failed", "error": "boom"}, "failed", "boom"),
            ({"status": "error", "error": {"message": "boom"}}, "failed", "boom"),
            ({"status": "failed", "message": "boom"}, "failed", "boom"),
            ({"status": "canceled"}, "cancelled", ""),
            ({"status": "completed"}, "completed", ""),
            ({"status": None, "url": "https://c/x"}, "completed", ""),
        ],
    )
    def test_render_states(self, payload: Any, state: str, error: str) -> None:
        found = wire.read_render(payload, "t", "sent")
        assert (found.state, found.error) == (state, error)
        assert found.render_id in ("r", "sent")

    def test_retry_after(self) -> None:
        assert wire.retry_after(None, NOW) is None
        assert wire.retry_after(" 30 ", NOW) == 30.0
        assert wire.retry_after("Wed, 18 Mar 2026 12:01:00 GMT", NOW) == 60.0
        assert wire.retry_after("Wed, 18 Mar 2026 11:00:00 GMT", NOW) == 0.0
        assert wire.retry_after("soon", NOW) is None
        week_s = wire.TOKEN_LIFE.total_seconds()
        assert wire.retry_after("9" * 30, NOW) == week_s
        assert wire.retry_after("Wed, 18 Mar 2099 12:01:00 GMT", NOW) == week_s

    def test_moments(self) -> None:
        assert values.moment("2026-03-18T12:00:00Z") == NOW
        assert values.moment(NOW.timestamp()) == NOW
        assert values.moment(NOW.timestamp() * 1000) == NOW
        assert values.moment("2026-03-18T14:00:00+02:00") == NOW
        assert values.moment("7 days") is None


class TestAddresses:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "[::1]", "LocalHost."])
    def test_this_machine(self, host: str) -> None:
        assert is_loopback(host)

    @pytest.mark.parametrize("host", ["", "localhost.example.com", "10.0.0.1", "127.0.0.1.example.com", "0x7f.1"])
    def test_other_machines(self, host: str) -> None:
        assert not is_loopback(host)

    @pytest.mark.parametrize("url", ["https://api.example.com", "https://api.example.com/base/", "http://127.0.0.1:81"])
    def test_good(self, url: str) -> None:
        assert base_url(url, "url").host

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.example.com",
            "ftp://x",
            "api.example.com",
            "",
            "https://",
            "https://u:p@x.com",
            "https://x.com/?a=1",
            "https://x:y",
        ],
    )
    def test_bad(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            base_url(url, "backend.url")
        assert "u:p" not in caught.value.message


class TestFormName:
    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("clip.mp4", "clip.mp4"),
            ('a"b\r\nc: d.mp4', "a%22b c: d.mp4"),
            ("Größe 片.mp4", "Größe 片.mp4"),
            ("bad\udcff\udc80.mp4", "bad%FF%80.mp4"),
            ("a/b\\c.mp4", "b_c.mp4"),
            ("\ud800.mp4", "?.mp4"),
            ("", "file"),
            ("\x00\x7f", "file"),
        ],
    )
    def test_names(self, name: str, shown: str) -> None:
        assert form_name(name) == shown

    @given(st.text(alphabet=st.characters(codec=None), max_size=300))
    def test_any_name_is_one_safe_line(self, name: str) -> None:
        shown = form_name(name)
        assert 0 < len(shown.encode()) <= 600
        assert not set('"\r\n\x00\\/') & set(shown)

    def test_long_names_keep_their_extension(self) -> None:
        assert form_name("片" * 300 + ".mp4").endswith("片.mp4")
