// What the recipes are checked with. The clients are used as published: only the platform's own fetch is looked at, so that every
// address that a client sees or asks for is known. Run with --import ./check.mjs, so that it comes before the clients.

const { GRAPHPROXY_URL, GRAPHPROXY_KEY, GRAPH_HOST, FOREIGN_HOST } = process.env;
const fetched = globalThis.fetch;
const seen = { proxy: 0, foreign: 0 };
const faults = [];

globalThis.fetch = async (input, init) => {
  const url = new URL(input.url ?? input);
  if (url.origin === new URL(GRAPHPROXY_URL).origin) seen.proxy++;
  else if (url.host === FOREIGN_HOST) seen.foreign++;
  else faults.push(`asked for ${url}`);
  const answer = await fetched(input, init);
  const text = await answer.clone().text();
  if (text.includes(GRAPH_HOST)) faults.push(`the body of ${url} holds Graph's address: ${text.slice(0, 300)}`);
  for (const [name, value] of answer.headers) if (value.includes(GRAPH_HOST)) faults.push(`${name} of ${url} holds Graph's address`);
  return answer;
};

// rename changes a user, with no client at all.
export async function rename(user, displayName) {
  const answer = await fetch(`${GRAPHPROXY_URL}/v1.0/users/${user}`, {
    method: "PATCH", body: JSON.stringify({ displayName }), headers: { Authorization: `Bearer ${GRAPHPROXY_KEY}`, "Content-Type": "application/json" },
  });
  check(`a user is renamed`, answer.status === 204);
}

export function check(what, ok) {
  console.log(`${ok ? "ok  " : "FAIL"} ${what}`);
  if (!ok) process.exitCode = 1;
}

// finish says what was seen: more answers than least. The clients' own timers need not be waited for.
export function finish(least = 25) {
  for (const fault of faults) check(fault, false);
  check(`no address of Graph's in ${seen.proxy} answers of graphproxy and ${seen.foreign} of the foreign host`, seen.proxy > least && faults.length === 0);
  process.exit();
}
