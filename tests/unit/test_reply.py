"""Streams become turns, drafts become a line, replies become plain words."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.model import SessionState, Turn
from nemo_watch.reply import (
    NO_CREDITS_SAID,
    TurnBuilder,
    both_stages,
    exportable,
    plain_words,
    state_digest,
    timeline_summary,
    total_duration_s,
    what_changed,
    without_secrets,
)
from tests.mangling import within_cpu


def turn(*events: Any, ended: bool = True) -> Turn:
    builder = TurnBuilder()
    for event in events:
        builder.feed("message", event if isinstance(event, str) else json.dumps(event))
    return builder.finish(ended=ended)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}], "role": "model"}, "author": "nemo_agent", **more}


# The four events that an ADK server sends for an edit, as captured (contract.md, Appendix A), without what is not read.
ADK_EDIT = (
    {
        "content": {
            "parts": [{"text": "planning", "thought": True}, {"text": "I'll add the title now."}],
            "role": "model",
        },
        "usageMetadata": {"totalTokenCount": 19},
        "invocationId": "e-1",
        "author": "nemo_agent",
        "actions": {"stateDelta": {}},
        "id": "1",
        "timestamp": 1795247504.137935,
    },
    {
        "content": {
            "parts": [{"functionCall": {"id": "call-1", "args": {"text": "Urban"}, "name": "edit_multitrack"}}],
            "role": "model",
        },
        "invocationId": "e-1",
        "id": "2",
    },
    {
        "content": {
            "parts": [{"functionResponse": {"id": "call-1", "name": "edit_multitrack", "response": {"status": "ok"}}}],
            "role": "user",
        },
        "id": "3",
    },
    {
        "content": {"parts": [{"text": 'Title added: "Urban Dreams" (0-3s).'}], "role": "model"},
        "turnComplete": True,
        "finishReason": "STOP",
        "id": "4",
    },
)


class TestTurn:
    def test_adk_events_give_texts_and_tools_without_thoughts(self) -> None:
        result = turn(*ADK_EDIT)
        assert result == Turn('I\'ll add the title now.\nTitle added: "Urban Dreams" (0-3s).', ("edit_multitrack",))

    def test_snake_case_names_are_the_same(self) -> None:
        call = {"content": {"parts": [{"function_call": {"name": "edit"}}]}}
        result = {"content": {"parts": [{"function_response": {"name": "edit", "response": {}}}], "role": "user"}}
        assert turn(call, result, said("ok", turn_complete=True)) == Turn("ok", ("edit",))

    def test_simplified_events(self) -> None:
        events = (
            {"type": "text", "content": "Wor"},
            {"type": "text", "content": "king."},
            {"type": "tool_call", "name": "generate_video_with_seedance", "args": {}},
            {"type": "heartbeat"},
            {"type": "tool_result", "name": "generate_video_with_seedance", "result": {"url": "x"}},
            {"type": "text", "content": "Ready."},
        )
        assert turn(*events) == Turn("Working.\nReady.", ("generate_video_with_seedance",))

    def test_gateway_and_bare_events(self) -> None:
        events = (
            {"type": "thinking_start"},
            {"type": "tool_start", "tool_name": "edit_multitrack"},
            {"type": "toolcall_end", "tool": "edit_multitrack"},
            {"type": "chunk", "text": "Do"},
            {"text": "ne."},
            {"type": "done"},
        )
        assert turn(*events) == Turn("Done.", ("edit_multitrack",))

    @pytest.mark.parametrize(
        "data", ["", "heartbeat", '{"type":"heartbeat"}', '"heartbeat"', "{}", "not json", '{"type": "ping"}']
    )
    def test_keepalives(self, data: str) -> None:
        builder = TurnBuilder()
        assert builder.feed("", data) == "keepalive"
        assert builder.finish(ended=True) == Turn("")

    def test_a_heartbeat_may_be_named_by_its_event_field(self) -> None:
        assert TurnBuilder().feed("heartbeat", '{"at": 1}') == "keepalive"

    def test_done_marks_end_the_turn(self) -> None:
        assert TurnBuilder().feed("", "[DONE]") == "end"
        assert TurnBuilder().feed("", '{"type":"done"}') == "end"

    def test_fragments_are_replaced_by_the_whole_text_that_repeats_them(self) -> None:
        fragments = [said(word, partial=True, id="7") for word in ("I'll ", "add ", "it.")]
        assert turn(*fragments, said("I'll add it.", id="7")).text == "I'll add it."

    def test_fragments_count_if_no_whole_text_came(self) -> None:
        fragments = [said(word, partial=True) for word in ("I'll ", "add ", "it.")]
        assert turn(*fragments, ended=False) == Turn("I'll add it.", ended=False)

    def test_fragments_after_a_whole_text_are_not_lost(self) -> None:
        assert turn(said("One. "), said("Two", partial=True), ended=False).text == "One. Two"

    def test_progress_shows_fragments(self) -> None:
        builder = TurnBuilder()
        builder.feed("", json.dumps(said("Wor", partial=True)))
        builder.feed("", json.dumps(said("king", partial=True)))
        assert builder.text_so_far == "Working"

    def test_an_event_that_comes_twice_counts_once(self) -> None:
        assert turn(said("Cut. ", id="a"), said("Cut. ", id="a"), said("Cut.", id="b")).text == "Cut. Cut."

    @pytest.mark.parametrize(
        "again",
        [
            {"type": "text", "content": 'Title added: "One" (0-3s).'},
            {"type": "text", "content": "已添加标题“One”。"},
            {"text": "- Cut five pauses\n- Added music at 35%\n"},
            said("Title added."),
        ],
    )
    def test_a_sentence_without_an_id_that_comes_twice_counts_once(self, again: Any) -> None:
        heartbeat = {"type": "heartbeat"}
        assert turn(again, heartbeat, again, again, {"type": "done"}).text == turn(again).text != ""

    def test_a_tool_without_an_id_that_is_told_twice_was_used_once(self) -> None:
        call = {"type": "tool_call", "name": "edit_multitrack", "args": {"text": "One"}}
        other = {**call, "args": {"text": "Two"}}
        assert turn(call, call, other).tools == ("edit_multitrack", "edit_multitrack")

    @pytest.mark.parametrize(
        ("fragment", "text"),
        [("ha", "haha"), ("Ha! ", "Ha! Ha!"), ("…", "……"), ("go on. ", "go on. go on."), ("哈", "哈哈")],
    )
    def test_fragments_that_are_the_same_are_all_kept(self, fragment: str, text: str) -> None:
        assert turn({"type": "text", "content": fragment}, {"type": "text", "content": fragment}).text == text

    def test_a_sentence_that_is_said_again_later_is_kept(self) -> None:
        ready, call = {"type": "text", "content": "It is done."}, {"type": "tool_call", "name": "edit"}
        assert turn(ready, call, ready).text == "It is done.\nIt is done."
        # With other ids or at another time it was said, not repeated.
        assert turn(said("It is done.", timestamp=1.0), said("It is done.", timestamp=2.0)).text.count("done") == 2

    def test_text_of_the_user_is_dropped(self) -> None:
        mine = {"content": {"parts": [{"text": "cut the pauses"}], "role": "user"}, "author": "user"}
        assert turn(mine, said("Cut.")).text == "Cut."

    def test_text_that_comes_after_an_event_of_the_user_with_only_a_role(self) -> None:
        assert turn({"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}).text == "ho"

    @pytest.mark.parametrize(
        "noise",
        [
            "I encountered a temporary issue.",
            "I encountered a temporary issue. Please try again later.",
            "Sorry, I've encountered a temporary issue while processing. Please retry!",
            "抱歉，我遇到了一个临时问题，请稍后重试。",
        ],
    )
    def test_noise_after_a_reply_is_dropped_and_alone_is_an_error(self, noise: str) -> None:
        assert turn(said("Title added."), said(noise)) == Turn("Title added.")
        assert turn(said("Title added. " + noise)) == Turn("Title added.")
        alone = turn(said(noise))
        assert (alone.text, alone.error_code) == ("", "temporary_issue")
        assert alone.error_message == noise

    def test_a_report_that_only_mentions_a_temporary_issue_stays(self) -> None:
        text = "I encountered a temporary issue with the library, so I took another track. Title added."
        assert turn(said(text)) == Turn(text)

    @pytest.mark.parametrize(
        ("event", "code", "message"),
        [
            ({"error": "backend exploded"}, "stream_error", "backend exploded"),
            (
                {"error": "RuntimeError: x", "error_details": {"error_type": "RuntimeError", "error_message": "x"}},
                "stream_error",
                "RuntimeError: x",
            ),
            ({"type": "error", "error": {"code": 503, "message": "busy"}}, "503", "busy"),
            ({"errorCode": "RESOURCE_EXHAUSTED", "errorMessage": "quota"}, "RESOURCE_EXHAUSTED", "quota"),
            ({"error_code": "INVOCATION_ABORTED"}, "INVOCATION_ABORTED", ""),
            ({"code": 1002, "message": "no session"}, "1002", "no session"),
            ({"code": "2001", "message": "no credits"}, "2001", "no credits"),
            ({"error": {"code": 2001, "message": "no credits"}}, "2001", "no credits"),
            (
                {"error": "task failed with code 2001: credits exhausted"},
                "2001",
                "task failed with code 2001: credits exhausted",
            ),
            ({"detail": "Session not found"}, "stream_error", "Session not found"),
            ({"success": False, "error": "nope"}, "stream_error", "nope"),
        ],
    )
    def test_errors_inside_the_stream(self, event: Any, code: str, message: str) -> None:
        result = turn(said("Working."), event)
        assert (result.text, result.error_code, result.error_message) == ("Working.", code, message)

    def test_exhausted_credits_are_found_in_tool_results_and_texts(self) -> None:
        response = {"name": "edit", "response": {"error": "code 2001: insufficient credits"}}
        tool = {"content": {"parts": [{"functionResponse": response}], "role": "user"}}
        assert turn(tool, said("Sorry.")).error_code == "2001"
        # Words alone may be a title's: the balance has the last word.
        assert turn(said("The request failed: error code 2001.")).error_code == NO_CREDITS_SAID
        assert turn(tool, said("Error 2001.")).error_code == "2001"
        assert turn({"error": "boom"}, said("Error 2001.")).error_code == "stream_error"

    @pytest.mark.parametrize(
        "text", ["Title added: 2001", "2001: A Space Odyssey style", "shot 2001-01-01, 12001 frames"]
    )
    def test_a_year_is_no_code(self, text: str) -> None:
        assert turn(said(text)) == Turn(text)

    def test_a_date_in_an_error_is_no_code(self) -> None:
        assert turn({"error": "failed at 2001-05-04"}).error_code == "stream_error"

    def test_a_failed_tool_is_not_the_end_of_the_turn(self) -> None:
        assert turn({"type": "tool_result", "name": "music", "error": "not found"}, said("No music.")).error_code == ""

    def test_a_good_envelope_around_an_event_is_taken_off(self) -> None:
        assert turn({"code": 0, "data": said("Hi.")}).text == "Hi."
        assert turn({"success": True, "data": [said("Hi.")]}).text == "Hi."

    def test_unknown_events_are_kept_for_logs_without_secrets(self) -> None:
        result = turn({"stage": "warm", "token": "nmv_usr_abc123"})
        assert result.unknown == ('{"stage": "warm", "token": "(secret)"}',)

    def test_a_flood_is_bounded(self) -> None:
        builder = TurnBuilder()
        for number in range(3000):
            builder.feed("", json.dumps({"type": "text", "content": "x" * 1000}))
            builder.feed("", json.dumps({"odd": number}))
        result = builder.finish(ended=True)
        assert len(result.text) <= 1_000_000
        assert len(result.unknown) <= 20

    def test_half_a_surrogate_pair_does_not_break_reports(self) -> None:
        turn('{"text": "\\ud83d"}').text.encode("utf-8")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
WORDS = (
    "type content parts text error code data success thought partial id author role functionCall functionResponse name "
    "response errorCode errorMessage detail message actions"
)
KEYS = st.sampled_from(WORDS.split())
VALUES = st.sampled_from(
    ["text", "chunk", "tool_call", "tool_result", "error", "done", "user", "2001", "heartbeat", ""]
)
EVENTS = st.recursive(
    JSON | VALUES | st.sampled_from([0, 2001, 1001, 10**400, -1.5, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


class TestAnyInput:
    @settings(max_examples=200)
    @given(st.lists(st.tuples(st.sampled_from(["", "message", "error", "heartbeat"]), EVENTS | st.text()), max_size=6))
    def test_any_events_make_a_turn(self, events: list[tuple[str, Any]]) -> None:
        builder = TurnBuilder()
        for kind, event in events:
            builder.feed(kind, event if isinstance(event, str) else json.dumps(event))
        result = builder.finish(ended=True)
        for text in (result.text, result.error_code, result.error_message, *result.tools, *result.unknown):
            assert isinstance(text, str)
            text.encode("utf-8")

    @settings(max_examples=100)
    @given(st.binary(max_size=200))
    def test_any_bytes_make_a_turn(self, data: bytes) -> None:
        builder = TurnBuilder()
        builder.feed("", data.decode("utf-8", "replace"))
        assert isinstance(builder.finish(ended=False), Turn)

    def test_deep_nesting_is_survived(self) -> None:
        assert turn("[" * 100_000 + "]" * 100_000) == Turn("")
        assert isinstance(turn('{"content":' * 300 + "1" + "}" * 300), Turn)


DRAFT_KEYS = st.sampled_from(["t", "sg", "tt", "d", "s", "in", "out", "m", "name", "title", "tx", "v", "volume", "src"])
DRAFT_VALUES = st.sampled_from(
    [0, 1, 7, 1000, 2.5, -3, 10**400, 1e308, "5000", "https://cdn.example.com/a/b.mp4", True]
)
DRAFTS = st.recursive(
    JSON | DRAFT_VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(DRAFT_KEYS, inner, max_size=6),
    max_leaves=25,
)
TRACKED = st.fixed_dictionaries(
    {
        "t": st.lists(
            st.fixed_dictionaries({"tt": DRAFT_VALUES, "sg": st.lists(DRAFTS, max_size=3)}) | DRAFTS, max_size=3
        )
    }
)


@settings(max_examples=200)
@given(DRAFTS | TRACKED, DRAFTS)
def test_any_draft_has_a_summary(draft: Any, other: Any) -> None:
    summary = timeline_summary(draft)
    assert summary.startswith("Timeline (")
    assert "\n" not in summary
    summary.encode("utf-8")
    length = total_duration_s(draft)
    assert length is None or length >= 0
    assert exportable(draft) in (True, False)
    before, after = (
        SessionState(other if isinstance(other, dict) else {}),
        SessionState(draft if isinstance(draft, dict) else {}),
    )
    assert what_changed(before, after).endswith(".")
    assert state_digest(after) == state_digest(after)


# The example of contract.md 11.3, shortened to what is read, with its documented line.
CITY = {"s": 0, "d": 6000, "src": "https://cdn.example.com/v/abc/city_a.mp4", "v": 1.0, "m": {"name": "city timelapse"}}
CITY_2 = {**CITY, "s": 6000, "d": 4000, "src": "https://cdn.example.com/v/abc/city_b.mp4", "v": 0.0}
LOFI = {"s": 0, "d": 10000, "src": "https://cdn.example.com/a/def/lofi.mp3", "v": 0.35, "m": {"name": "Lo-fi"}}
URBAN = {"s": 0, "d": 3000, "tx": "Urban Dreams", "m": {"name": "Urban Dreams"}}
EXAMPLE: dict[str, Any] = {
    "d": 10000,
    "m": {"title": "Urban Dreams", "width": 1920, "height": 1080, "fps": 30},
    "t": [
        {"id": "trk_v1", "tt": 0, "d": 10000, "m": {"name": "main"}, "sg": [CITY, CITY_2]},
        {"id": "trk_a1", "tt": 1, "d": 10000, "m": {"name": "BGM"}, "sg": [LOFI]},
        {"id": "trk_t1", "tt": 7, "d": 3000, "m": {"name": "title"}, "sg": [URBAN]},
    ],
}
EXAMPLE_LINE = (
    'Timeline (3 tracks): 1. Video: city timelapse (0-10s) 2. BGM: Lo-fi (0-10s, 35%) 3. Title: "Urban Dreams" (0-3s)'
)


def one(segment: Any, tt: Any = 0, **track: Any) -> str:
    return timeline_summary({"t": [{"tt": tt, "sg": [segment] if not isinstance(segment, list) else segment, **track}]})


class TestTimeline:
    def test_the_documented_line(self) -> None:
        assert timeline_summary(EXAMPLE) == EXAMPLE_LINE

    @pytest.mark.parametrize("draft", [{}, None, [], {"t": None}, {"t": []}, "x"])
    def test_nothing_on_the_timeline(self, draft: Any) -> None:
        assert timeline_summary(draft) == "Timeline (0 tracks)"
        assert not exportable(draft)

    def test_one_track_is_singular_and_seconds_have_no_trailing_zeros(self) -> None:
        assert one({"s": 500, "d": 2000, "n": "clip"}) == "Timeline (1 track): 1. Video: clip (0.5-2.5s)"

    @pytest.mark.parametrize(
        ("segment", "line"),
        [
            ({"in": 1000, "out": 3000, "name": "a"}, "a (1-3s)"),
            ({"start_time": "2000", "duration": "1000", "title": "a"}, "a (2-3s)"),
            ({"m": {"start": 4000, "title": "a"}, "d": 1000}, "a (4-5s)"),
            ({"d": 1000, "src": "https://cdn.example.com/x/my%20clip.mp4?sig=1"}, "my%20clip (0-1s)"),
            ({"d": 1000, "media": {"url": "https://cdn.example.com/x/b.mov"}}, "b (0-1s)"),
            ({"d": 1000, "p": "/mnt/userdata/a/c.mp4"}, "c (0-1s)"),
            ({"d": 1000}, "clip 1 (0-1s)"),
            ("nonsense", "clip 1 (0-0s)"),
            ({"s": "x", "d": None, "name": "a\nb\x00"}, "a b (0-0s)"),
        ],
    )
    def test_tolerant_readers(self, segment: Any, line: str) -> None:
        assert one(segment) == f"Timeline (1 track): 1. Video: {line}"

    def test_pieces_without_starts_follow_each_other(self) -> None:
        assert one([{"d": 1000, "n": "a"}, {"d": 500, "n": "b"}]) == "Timeline (1 track): 1. Video: a ×2 (0-1.5s)"

    def test_pieces_of_one_source_are_counted(self) -> None:
        cut = [
            {"s": i * 1000, "d": 1000, "src": "https://c.example.com/a.mp4", "m": {"name": "clip"}} for i in range(3)
        ]
        assert one(cut) == "Timeline (1 track): 1. Video: clip ×3 (0-3s)"

    @pytest.mark.parametrize(
        ("volume", "shown"),
        [(0.35, ", 35%"), (35, ", 35%"), (1, ""), (1.0, ""), (100, ""), (0, ", 0%"), (None, ""), ("x", "")],
    )
    def test_volume_only_on_sound_and_only_if_it_is_not_full(self, volume: Any, shown: str) -> None:
        assert one({"d": 1000, "n": "song", "v": volume}, tt=1).endswith(f"BGM: song (0-1s{shown})")
        assert one({"d": 1000, "n": "song", "v": volume}, tt=0).endswith("Video: song (0-1s)")

    def test_captions_are_told_by_their_number(self) -> None:
        cues = [{"s": i * 1000, "d": 900, "tx": f"line {i}"} for i in range(12)]
        assert one(cues, tt=7).endswith("1. Captions: 12 cues (0-11.9s)")
        assert one(cues[:2], tt=7, m={"name": "captions"}).endswith("1. Captions: 2 cues (0-1.9s)")
        assert one(cues[:2], tt=7).endswith('1. Title: "line 0" ×2 (0-1.9s)')

    def test_other_track_types_keep_their_number(self) -> None:
        assert one({"d": 1000, "n": "x"}, tt=4).endswith("1. Track type 4: x (0-1s)")
        assert one({"d": 1000, "n": "x"}, tt="7").endswith("1. Title: x (0-1s)")
        assert one({"d": 1000, "n": "x"}, tt=None).endswith("1. Track type ?: x (0-1s)")

    def test_length(self) -> None:
        assert total_duration_s(EXAMPLE) == 10.0
        assert total_duration_s({"t": [{"d": 4000, "sg": []}, {"sg": [{"s": 1000, "d": 8500}]}]}) == 9.5
        assert total_duration_s({}) is None
        assert total_duration_s({"d": "nan", "t": []}) is None

    def test_exportable_means_that_some_track_has_a_segment(self) -> None:
        assert exportable(EXAMPLE)
        assert not exportable({"t": [{"tt": 0, "sg": []}, None]})


class TestChange:
    def test_digest_ignores_key_order_and_kinds_of_nothing(self) -> None:
        a = SessionState({"a": 1, "b": {"c": 2, "d": 3}}, (), None, {})
        b = SessionState({"b": {"d": 3, "c": 2}, "a": 1}, (), [], None)
        assert state_digest(a) == state_digest(b)

    @pytest.mark.parametrize(
        "other",
        [
            SessionState({"a": 2}, ("f",), ["g"], {"w": 1}),
            SessionState({"a": 1}, (), ["g"], {"w": 1}),
            SessionState({"a": 1}, ("f",), [], {"w": 1}),
            SessionState({"a": 1}, ("f",), ["g"], {"w": 2}),
            SessionState({"a": 1.5}, ("f",), ["g"], {"w": 1}),
        ],
    )
    def test_digest_sees_each_of_the_four_fields(self, other: SessionState) -> None:
        assert state_digest(SessionState({"a": 1}, ("f",), ["g"], {"w": 1})) != state_digest(other)

    def test_digest_keeps_big_integers_apart(self) -> None:
        assert state_digest(SessionState({"a": 2**60})) != state_digest(SessionState({"a": 2**60 + 1}))

    def test_sentences(self) -> None:
        empty, full = SessionState({}), SessionState(EXAMPLE)
        assert what_changed(full, full) == "Nothing changed."
        assert what_changed(empty, full) == (
            "Now on the timeline: Video: city timelapse (0-10s); BGM: Lo-fi (0-10s, 35%); "
            'Title: "Urban Dreams" (0-3s), the length is 10 s.'
        )
        shorter = SessionState({"d": 8000, "t": EXAMPLE["t"][:2]})
        assert (
            what_changed(full, shorter)
            == 'No longer there: Title: "Urban Dreams" (0-3s), the length is 8 s instead of 10 s.'
        )
        assert what_changed(SessionState({}), SessionState({}, ({"filename": "a"},))) == "1 new file in the session."
        colder = SessionState({**EXAMPLE, "fx": [1]})
        assert what_changed(full, colder) == "The edit changed details that the timeline summary does not show."


class TestBothStages:
    CLIP: ClassVar[dict[str, Any]] = {"id": "g1", "file_type": "video", "cdn_url": "https://c.example.com/raw.mp4"}
    TOLD = (
        "A raw clip was generated, then finished; beside the picture there is now: BGM: Lo-fi (0-10s, 35%); "
        'Title: "Urban Dreams" (0-3s).'
    )

    @pytest.mark.parametrize(
        "media",
        [
            [CLIP],
            {"g1": CLIP},
            ["https://c.example.com/raw.mp4?sig=1"],
            [{"url": "https://c.example.com/raw.webm"}],
            [{"tool": "generate_video_with_seedance"}],
        ],
    )
    def test_a_generated_clip_and_what_was_laid_over_it(self, media: Any) -> None:
        before, after = SessionState({}), SessionState(EXAMPLE, (), media)
        assert both_stages(before, after) == self.TOLD + " All of it is kept."
        assert self.TOLD[1:-1] in what_changed(before, after)

    @pytest.mark.parametrize(
        ("media", "draft"),
        [
            ([], EXAMPLE),
            ([{"file_type": "audio", "cdn_url": "https://c.example.com/a.mp3"}], EXAMPLE),
            ([CLIP], {"t": EXAMPLE["t"][:1]}),
            (5, EXAMPLE),
            ([None, 5, []], EXAMPLE),
        ],
    )
    def test_other_turns_have_one_stage(self, media: Any, draft: Any) -> None:
        assert both_stages(SessionState({}), SessionState(draft, (), media)) == ""

    def test_a_clip_among_the_files_or_made_by_a_tool_counts_too(self) -> None:
        known = ({"filename": "talk.mp4", "file_type": "video"},)
        before = SessionState({}, known)
        after = SessionState(EXAMPLE, (*known, {**self.CLIP, "source": "generated"}))
        assert both_stages(before, after) == self.TOLD + " All of it is kept."
        # An upload that is listed late was not made there.
        assert both_stages(SessionState({}), SessionState(EXAMPLE, known)) == ""
        assert both_stages(before, SessionState(EXAMPLE, known)) == ""
        told = both_stages(before, SessionState(EXAMPLE, known), ("understand", "generate_video_with_seedance"))
        assert told == self.TOLD + " All of it is kept."

    def test_a_clip_of_an_earlier_turn_is_no_stage_of_this_one(self) -> None:
        before = SessionState({"t": EXAMPLE["t"][:1]}, (), [self.CLIP])
        assert both_stages(before, SessionState(EXAMPLE, (), [self.CLIP])) == ""


# By the rows of contract.md 10: buttons, panels, dragging, previews, exports, accounts, settings, editors; and more.
SCREEN_TALK = """\
Click the Generate button.
Just tap on Apply.
Please open the effects menu.
Open the media panel to see your clips.
Drag the clip onto the track.
You can drop your logo on the timeline.
Preview it in the timeline.
You can watch the result in the player.
Hit the Export button.
You can now export your video from the top-right corner.
Check your account for the balance.
You can see your billing details on the billing page.
Go to Settings to change the canvas.
Visit the dashboard for more.
You can adjust the volume in the editor.
Select the text layer and change the font in the right panel.
Press Ctrl+Z to undo.
Double-click the title to edit it.
Hover over the clip to see its length.
点击“生成”按钮。
请点按应用。
打开特效菜单。
您可以打开素材面板查看片段。
把片段拖到轨道上。
您可以拖拽标题到其他位置。
在时间线上预览。
您可以在播放器里查看效果。
点击右上角的导出按钮。
您可以直接导出视频了。
查看您的账户余额。
到账单页面看看。
去设置里更改画布。
前往控制台查看更多。
可以在编辑器里调整音量。
在右侧面板中修改字体。
按Ctrl+Z撤销。
选中文字图层，然后修改字体。
把鼠标移到片段上。""".splitlines()


class TestPlainWords:
    @pytest.mark.parametrize(
        ("reply", "plain"),
        [
            ('Title added: "Urban Dreams" (0-3s). Click Export to save.', 'Title added: "Urban Dreams" (0-3s).'),
            (
                "I cut 5 pauses (12.5 s), added music at 35%, and you can click Export.",
                "I cut 5 pauses (12.5 s), added music at 35%.",
            ),
            ("Ready! Check it in the timeline panel and click the Export button to download.", "Ready!"),
            ("You can preview it in the timeline player.\n\nTracks: 3", "Tracks: 3"),
            ("You can fine-tune the volume in the editor. Music is at 35%.", "Music is at 35%."),
            ("Open the media panel and drag the clip. Title added.", "Title added."),
            ("视频已完成，共10秒。请点击右上角的导出按钮下载。", "视频已完成，共10秒。"),
            ("在时间线中预览效果，然后打开导出面板。字幕已添加。", "字幕已添加。"),
            # What leads in to a gesture says nothing without it.
            ("Title added. When you are happy, click the Export button in the top right corner.", "Title added."),
            ("Title added. Once you're happy with it and it is long enough, hit Export!", "Title added."),
            ("Title added. As soon as you are done, press the download icon, and enjoy!", "Title added."),
            ("Title added. To change it, open the properties panel.", "Title added."),
            ("To make it lively, I added music, and you can click Export.", "To make it lively, I added music."),
            ("Now that the title is there, click Export.", "The title is there."),
            ("If you like, I can add subtitles, or click Export.", "If you like, I can add subtitles."),
            ("字幕已添加。如需更改画布，请前往设置；满意后，请点击导出按钮。", "字幕已添加。"),
            ("已添加标题后，请点击导出按钮。", "已添加标题。"),
            # Neither does a heading whose list is gone, or the number of an item that is.
            (
                "- Cut 5 pauses\n- Added music\n\nNext steps:\n1. Preview it in the timeline player\n2. Click Export",
                "- Cut 5 pauses\n- Added music",
            ),
            ("Next steps:\n1. Click Export\n2. Music is at 35%.", "Next steps:\n2. Music is at 35%."),
            (
                "Check the timeline panel to preview and click Export when satisfied! It has 3 tracks.",
                "It has 3 tracks.",
            ),
        ],
    )
    def test_gui_talk_is_dropped(self, reply: str, plain: str) -> None:
        assert plain_words(reply) == plain

    @pytest.mark.parametrize(
        ("reply", "plain"),
        [
            (
                "Click the Export button in the top right corner.",
                "The finished file is exported without further steps.",
            ),
            ("Check your account for billing.", "`nemo-watch credits` shows the balance."),
            ("点击导出按钮即可下载。", "成片会自动导出，无需其他操作。"),
        ],
    )
    def test_gui_talk_alone_is_translated(self, reply: str, plain: str) -> None:
        assert plain_words(reply) == plain

    @pytest.mark.parametrize("talk", SCREEN_TALK)
    def test_every_kind_of_gesture_goes_and_the_rest_stays(self, talk: str) -> None:
        done = "标题已添加。" if re.search(r"[\u4e00-\u9fff]", talk) else "Title added."
        assert plain_words(f"{done} {talk}") == plain_words(f"{talk} {done}") == done
        alone = plain_words(talk)
        assert alone not in ("", talk)
        assert bool(re.search(r"[\u4e00-\u9fff]", alone)) == (done != "Title added.")

    @pytest.mark.parametrize(
        "reply",
        [
            'Added the title "Click here to subscribe".',
            "已添加标题“点击这里订阅”，时长3秒。",
            "Added a click track and a drag race clip; the video opens with a slow pan.",
            "The clip is 2.5 s long, from clip.mp4.",
            "I can't do that. Would you like to trim or export it?",
            "When the music fades, the title appears. If you like, I can add subtitles.",
            "I went to the beach clip; the settings of the sun are warm. 标题已移到页面中央，鼠标的特写在最后。",
            "Changes:\n1. Title\n2.\n\nDone:",
            "I could not add the download icon, because there is no such asset.",
            "The title was not added because you need to select the text layer first.",
            "Sorry, I can't remove the Save button from the picture.",
            "I synced the cuts to click track tempo and added the title.",
            "无法点击导出按钮，因为没有素材。",
            "",
            "...",
        ],
    )
    def test_what_describes_the_video_stays(self, reply: str) -> None:
        assert plain_words(reply) == reply

    def test_secrets_are_left_out(self) -> None:
        assert (
            without_secrets("see https://u:p@x.com/a?t=1#f nmv_usr_AB-c_1 Bearer abc.def")
            == "see https://x.com/a (secret) (secret)"
        )

    @settings(max_examples=300)
    @given(
        st.text(max_size=200)
        | st.lists(
            st.sampled_from(
                ["click ", "the ", "Export", " button", ". ", ", ", "and ", "点击", "导出", "。", '"', "Done", "\n"]
            ),
            max_size=30,
        ).map("".join)
    )
    def test_content_never_becomes_nothing(self, reply: str) -> None:
        plain = plain_words(reply)
        plain.encode("utf-8")
        if any(char.isalnum() for char in reply):
            assert plain

    @pytest.mark.parametrize(
        "piece",
        [
            "click ",
            "to ",
            "a,",
            '"',
            "open the ",
            "and ",
            "在",
            "I encountered a temporary issue ",
            "http://",
            "check your ",
            " ",
            "\t",
            "\n",
            " \n",
            "2001 ",
            "&x-a-",
        ],
    )
    def test_long_input_takes_no_long_time(self, piece: str) -> None:
        text = f"Done{piece * (100_000 // len(piece))}and more"
        with within_cpu(5):
            assert plain_words(text) is not None
            assert isinstance(turn(said(text)), Turn)
            state = SessionState({"t": [{"sg": [{"tx": text, "src": text, "m": {"name": text}}]}]})
            assert what_changed(SessionState({}), state)
