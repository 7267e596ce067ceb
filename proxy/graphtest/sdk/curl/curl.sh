#!/usr/bin/env bash
set -euo pipefail

# recipe: begin
graph() { curl --fail-with-body -sS --oauth2-bearer "$GRAPHPROXY_KEY" "$@"; } # GRAPHPROXY_URL is https://graphproxy.contoso.com

everybody() {
  local next="$GRAPHPROXY_URL/v1.0/users?\$select=id,displayName&\$top=20" page
  while [ -n "$next" ]; do
    page=$(graph "$next")
    jq -r '.value[].id' <<<"$page"
    next=$(jq -r '."@odata.nextLink" // empty' <<<"$page")
  done
}

several() { # several ID ...
  jq -n '{requests: [$ARGS.positional[] | {id: ., method: "GET", url: "/users/\(.)"}]}' --args "$@" |
    graph "$GRAPHPROXY_URL/v1.0/\$batch" -H 'Content-Type: application/json' -d @-
}

upload() { # upload FILE ITEM
  local url size
  url=$(graph "$GRAPHPROXY_URL/v1.0/$2:/createUploadSession" -H 'Content-Type: application/json' -d '{}' | jq -r .uploadUrl)
  size=$(wc -c <"$1")
  curl --fail-with-body -sS -T "$1" "$url" -H "Content-Range: bytes 0-$((size - 1))/$size" # not graphproxy's address: no key
}

download() { graph -L "$GRAPHPROXY_URL/v1.0/$1:/content"; } # curl leaves the key behind when it follows to another host
# recipe: end

curl() { command curl "$@" | tee -a "$GRAPHPROXY_FILES/seen"; } # every answer is kept, to be looked at
check() { # check WHAT COMMAND ...
  local what=$1
  shift
  if "$@"; then echo "ok   $what"; else echo "FAIL $what"; failed=1; fi
}

check "500 users on 25 pages" test "$(everybody | sort -u | wc -l)" = 500
check "a batch answers what is allowed and refuses in its place what is not" \
  test "$(several adele@contoso.com ceo@contoso.com | jq -c '[.responses | sort_by(.id)[].status]')" = '[200,403]'

seq 40000 >"$GRAPHPROXY_FILES/numbers.txt"
numbers=users/adele@contoso.com/drive/root:/Reports/numbers.txt
check "an upload session takes a file" test "$(upload "$GRAPHPROXY_FILES/numbers.txt" "$numbers" | jq -r .name)" = numbers.txt
check "a download follows the redirect" cmp -s "$GRAPHPROXY_FILES/numbers.txt" <(download "$numbers")

link="$GRAPHPROXY_URL/v1.0/users/delta"
while page=$(graph "$link") && next=$(jq -er '."@odata.nextLink"' <<<"$page"); do link=$next; done
link=$(jq -r '."@odata.deltaLink"' <<<"$page")
graph -X PATCH "$GRAPHPROXY_URL/v1.0/users/joni@contoso.com" -H 'Content-Type: application/json' -d "{\"displayName\":\"Joni of $GRAPHPROXY_URL\"}"
check "a deltaLink tells the one change" test "$(graph "$link" | jq -r '.value[].displayName')" = "Joni of $GRAPHPROXY_URL"
check "a refusal is 403" test "$(command curl -s -o /dev/null -w '%{http_code}' --oauth2-bearer "$GRAPHPROXY_KEY" "$GRAPHPROXY_URL/v1.0/users/ceo@contoso.com")" = 403

check "25 pages and more were seen" test "$(grep -ao '@odata.context' "$GRAPHPROXY_FILES/seen" | wc -l)" -gt 25
check "no address of Graph's in any" test "$(grep -aFc "$GRAPH_HOST" "$GRAPHPROXY_FILES/seen")" = 0
exit "${failed:-0}"
