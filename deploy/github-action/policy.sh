#!/usr/bin/env bash
# What action.yml runs, in the root of the repository with the policy file. Settings are variables:
#   POLICY      the policy file
#   BASE        the commit to compare with; empty or unknown: nothing is compared
#   STRICT      true: warnings fail, too
#   GRAPHPROXY  the program; empty: $RUNNER_TEMP/graphproxy
# Status 0: the policy loads, its tests pass. 1: it does not. 2: it could not be read.
set -euo pipefail
policy=${POLICY:-policy.yaml}
graphproxy=${GRAPHPROXY:-$RUNNER_TEMP/graphproxy}
strict=()
[ "${STRICT:-true}" != true ] || strict=(--strict)
case $policy in -*) policy=./$policy ;; esac

# escaped writes text as the value of a workflow command: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
escaped='def escaped: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");'

status=0
checked=$("$graphproxy" policy check --json ${strict[@]+"${strict[@]}"} -- "$policy") || status=$?
[ "$status" -le 1 ] || exit "$status"
jq -r --arg file "$policy" "$escaped"'
  (.errors[] | "::error file=\($file | escaped),line=\(.line)::\(.message | escaped)"),
  (.warnings[] | "::warning file=\($file | escaped),line=\(.line)::\(.message | escaped)")' <<<"$checked"

tested=$("$graphproxy" policy test -- "$policy") || [ $? -le 1 ] || tested="the tests cannot run, because the file does not load"
printf '%s\n' "$tested"

fence='````````'
changed=false diff="there is nothing to compare with"
if [ -n "${BASE:-}" ] && git rev-parse --verify -q "$BASE^{commit}" >/dev/null; then
  if git cat-file -e "$BASE:./${policy#./}" 2>/dev/null; then
    differs=0
    diff=$("$graphproxy" policy diff --format markdown -- "git:$BASE:$(git rev-parse --show-prefix)$policy" "$policy" 2>&1) || differs=$?
    [ "$differs" != 1 ] || changed=true
    [ "$differs" -le 1 ] || diff=$fence$'\n'$diff$'\n'$fence
  else
    changed=true diff="$policy is new"
  fi
fi

# The delimiter is not known to who wrote the policy, so that no text in it ends the value.
delimiter=graphproxy-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
{
  printf 'changed=%s\n' "$changed"
  printf 'diff<<%s\n%s\n%s\n' "$delimiter" "$diff" "$delimiter"
} >>"${GITHUB_OUTPUT:-/dev/stdout}"
{
  printf '### %s\n\n' "$policy"
  printf '%s\n%s\n%s\n\n' "$fence" "$tested" "$fence"
  printf 'What callers gain (+), lose (-) and do otherwise (~):\n\n%s\n' "$diff"
} >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
exit "$status"
