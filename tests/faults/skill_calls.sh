#!/bin/sh
# The calls of the vendor's skill document, one after the other, from a token to a file that plays: for whoever has
# nothing but curl. `python3 -c` picks fields out of replies, and that is all it does.
#
# Usage: skill_calls.sh API CLIP OUT MESSAGE
#   API the backend's address, CLIP the video, OUT a folder for replies and files, MESSAGE what is to be done.
# CALLER: "now" as the newest document has it, "seeds" as the shortest ones (no language, no user_id), "first" as the
# first one (the real user id in every path, /draft in place of /lambda).
# REPLIES: where fields stand: "now" as the newest document has it, "withdrawn" as the reference that was withdrawn says
# of renders (the sibling gateway's are there, too), "bare" for a backend without an envelope.
# POLL_S, LOOKS: how long to wait between two looks at the export, and how many there are; the documents say 30 and 10.
set -eu

API=$1 CLIP=$2 OUT=$3 MESSAGE=$4
CALLER=${CALLER:-now}
REPLIES=${REPLIES:-now}
POLL_S=${POLL_S:-30}
LOOKS=${LOOKS:-10}

pick() { # pick FILE KEY...: one field of a reply, a text as it is and anything else as JSON
  python3 -c '
import json, sys
value = json.load(open(sys.argv[1], encoding="utf-8"))
for key in sys.argv[2:]:
    value = value[int(key) if isinstance(value, list) else key]
print(value if isinstance(value, str) else json.dumps(value))' "$@"
}

# Keys on the way to a field; without quotes below, as there may be none and two.
DATA=data STATUS_AT=status URL_AT='output url'
case $REPLIES in
  withdrawn) STATUS_AT='data status' URL_AT='data outputUrl' ;;
  bare) DATA= ;;
esac

# ---- token
CLIENT_ID=$(python3 -c 'import uuid; print(uuid.uuid4())')
curl -sS -X POST "$API/api/auth/anonymous-token" -H "X-Client-Id: $CLIENT_ID" -o "$OUT/token.json"
TOKEN=$(pick "$OUT/token.json" $DATA token)

call() { # call NAME METHOD URL [curl's options]: an authenticated call, its reply in OUT/NAME
  name=$1 method=$2 url=$3
  shift 3
  curl -sS -X "$method" "$url" \
    -H "Authorization: Bearer $TOKEN" \
    -H "X-Skill-Source: nemo-video" \
    -H "X-Skill-Version: 1.9.0" \
    -H "X-Skill-Platform: unknown" \
    -o "$OUT/$name" "$@"
}

ME=me
SESSION_BODY='{"task_name":"project","language":"en"}'
USER_FIELD='"user_id":"me",'
RENDER=$API/api/render/proxy/lambda
case $CALLER in
  seeds) SESSION_BODY='{"task_name":"project"}' USER_FIELD='' ;;
  first)
    ME=$(pick "$OUT/token.json" $DATA user_id)
    USER_FIELD="\"user_id\":\"$ME\","
    ;;
esac

# ---- credits
call credits_before.json GET "$API/api/credits/balance/simple"

# ---- session
call session.json POST "$API/api/tasks/$ME/with-session/nemo_agent" \
  -H "Content-Type: application/json" -d "$SESSION_BODY"
SESSION_ID=$(pick "$OUT/session.json" $DATA session_id)
TASK_ID=$(pick "$OUT/session.json" $DATA task_id)

# ---- upload: no Content-Type of ours, curl sets the boundary
call upload.json POST "$API/api/upload-video/nemo_agent/$ME/$SESSION_ID" -F "files=@$CLIP"

# ---- the other kind of upload: an address in place of a file
call upload_url.json POST "$API/api/upload-video/nemo_agent/$ME/$SESSION_ID" \
  -H "Content-Type: application/json" -d '{"urls":["http://127.0.0.1/video.mp4"],"source_type":"url"}'

# ---- state before
call state_before.json GET "$API/api/state/nemo_agent/$ME/$SESSION_ID/latest"

# ---- the message, and the stream of its turn until the connection closes
call stream.txt POST "$API/run_sse" -N --max-time 900 \
  -H "Content-Type: application/json" -H "Accept: text/event-stream" -d "{
    \"app_name\": \"nemo_agent\", $USER_FIELD \"session_id\": \"$SESSION_ID\",
    \"new_message\": {\"parts\": [{\"text\": \"$MESSAGE\"}]}
  }"

# ---- state after: the draft is what is exported, verbatim
call state.json GET "$API/api/state/nemo_agent/$ME/$SESSION_ID/latest"
pick "$OUT/state.json" $DATA state draft >"$OUT/draft.json"
call credits.json GET "$API/api/credits/balance/simple"

# ---- export
RENDER_ID="render_$(date +%s)000"
OUTPUT=',"output":{"format":"mp4","quality":"high"}'
POLL=$RENDER/$RENDER_ID
if [ "$CALLER" = first ]; then
  RENDER=$API/api/render/proxy/draft OUTPUT='' POLL=$API/api/render/proxy/$RENDER_ID
fi
submit() { # submit NAME ID
  {
    printf '{"id":"%s","sessionId":"%s","draft":' "$2" "$SESSION_ID"
    cat "$OUT/draft.json"
    printf '%s}' "$OUTPUT"
  } >"$OUT/submit.json"
  call "$1" POST "$RENDER" -H "Content-Type: application/json" -d "@$OUT/submit.json"
}
submit submitted.json "$RENDER_ID"

# ---- another one that waits behind it, called off
submit submitted_too.json "$RENDER_ID-2"
call cancelled.json POST "$API/api/render/proxy/lambda/$RENDER_ID-2/cancel"

# ---- poll
look=0 STATUS=pending
while [ "$STATUS" != completed ]; do
  look=$((look + 1))
  [ "$look" -le "$LOOKS" ] || { echo "the export is still $STATUS after $LOOKS looks" >&2; exit 1; }
  call poll.json GET "$POLL"
  STATUS=$(pick "$OUT/poll.json" $STATUS_AT)
  case $STATUS in
    completed) ;;
    pending | processing) sleep "$POLL_S" ;;
    *)
      echo "the export ended as $STATUS" >&2
      exit 1
      ;;
  esac
done

# ---- download, without the token: another host has the file
curl -sS -f -L -o "$OUT/output.mp4" "$(pick "$OUT/poll.json" $URL_AT)"

# ---- and the other way to it, through the backend
call fallback.mp4 GET "$API/api/render/proxy/$RENDER_ID/download" -f -L

# ---- a link for a browser
call claim.json POST "$API/api/auth/claim-token" \
  -H "Content-Type: application/json" -d "{\"task_id\":\"$TASK_ID\",\"session_id\":\"$SESSION_ID\"}"
pick "$OUT/claim.json" $DATA claim_token >/dev/null
