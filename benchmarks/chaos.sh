#!/bin/sh
# One clip through the backend with curl and retries: what most people would write, and a careful version of it.
# Every call that has ended well is remembered in a file and not made again; what was only begun is not remembered.
# Called as: chaos.sh CLIP, with URL, TOKEN, WORK, OUT and POLL_S in the environment.
clip=$1
name=$(basename "$clip" .mp4)
work=$WORK/$name
mkdir -p "$work"

api() {
  curl -fsS --retry 5 --retry-all-errors --retry-delay 1 --max-time 120 \
    -H "Authorization: Bearer $TOKEN" \
    -H "X-Skill-Source: script" -H "X-Skill-Version: 1.0.0" -H "X-Skill-Platform: unknown" "$@"
}
value() { # value KEY: the first string of this key in the JSON on standard input
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}
say() { # say NUMBER MESSAGE
  [ -f "$work/edit-$1" ] && return
  api -N -X POST "$URL/run_sse" -H "Content-Type: application/json" -o "$work/stream" -d \
    "{\"app_name\":\"nemo_agent\",\"user_id\":\"me\",\"session_id\":\"$session\",\"new_message\":{\"parts\":[{\"text\":\"$2\"}]}}" \
    && mv "$work/stream" "$work/edit-$1"
}

until [ -s "$OUT/$name.mp4" ]; do
  if [ ! -s "$work/session" ]; then
    api -X POST "$URL/api/tasks/me/with-session/nemo_agent" -H "Content-Type: application/json" \
      -d "{\"task_name\":\"$name\",\"language\":\"en\"}" | value session_id >"$work/session.tmp"
    [ -s "$work/session.tmp" ] || { sleep 1; continue; }
    mv "$work/session.tmp" "$work/session"
  fi
  session=$(cat "$work/session")
  if [ ! -f "$work/uploaded" ]; then
    api -X POST "$URL/api/upload-video/nemo_agent/me/$session" -F "files=@$clip" -o "$work/upload" || { sleep 1; continue; }
    touch "$work/uploaded"
  fi
  say 1 "$EDIT_1" || { sleep 1; continue; }
  say 2 "$EDIT_2" || { sleep 1; continue; }
  api "$URL/api/state/nemo_agent/me/$session/latest" -o "$work/state" || { sleep 1; continue; }
  if [ ! -s "$work/render" ]; then
    render=render_$(cat /proc/sys/kernel/random/uuid)
    # The draft as it came: everything between "draft": and the key that follows it.
    sed 's/.*"draft"://; s/,"canvas_config".*//' "$work/state" >"$work/draft"
    printf '{"id":"%s","sessionId":"%s","draft":%s,"output":{"format":"mp4","quality":"high"}}' \
      "$render" "$session" "$(cat "$work/draft")" >"$work/submit"
    api -X POST "$URL/api/render/proxy/lambda" -H "Content-Type: application/json" -d "@$work/submit" -o /dev/null \
      || { sleep 1; continue; }
    echo "$render" >"$work/render"
  fi
  render=$(cat "$work/render")
  api "$URL/api/render/proxy/lambda/$render" -o "$work/poll" || { sleep 1; continue; }
  case $(value status <"$work/poll") in
    completed) ;;
    failed) rm "$work/render"; continue ;;
    *) sleep "$POLL_S"; continue ;;
  esac
  curl -fsS --retry 5 --retry-all-errors --retry-delay 1 -o "$OUT/$name.mp4" "$(value url <"$work/poll")"
done
