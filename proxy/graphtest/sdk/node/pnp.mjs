// recipe: begin
import { graphfi, GraphBrowser } from "@pnp/graph";
import { BearerToken } from "@pnp/queryable";
import "@pnp/graph/batching.js";
import "@pnp/graph/users/index.js";

const proxy = new URL(process.env.GRAPHPROXY_URL); // https://graphproxy.contoso.com
const graph = graphfi().using(GraphBrowser({ baseUrl: `${proxy.origin}/v1.0` }), BearerToken(process.env.GRAPHPROXY_KEY));

async function everybody() {
  const users = [];
  for await (const page of graph.users.select("id", "displayName").top(20)) {
    users.push(...page);
  }
  return users;
}

async function several(...names) {
  const [batched, execute] = graph.batched();
  const answers = Promise.allSettled(names.map((name) => batched.users.getById(name)()));
  await execute();
  return answers;
}
// recipe: end

import { check, finish } from "./check.mjs";

const users = await everybody();
check("for await reads 500 users on 25 pages", users.length === 500 && new Set(users.map((u) => u.id)).size === 500);

const [adele, ceo] = await several("adele@contoso.com", "ceo@contoso.com");
check("a batch answers what is allowed", adele.value?.displayName === "Adele Vance");
check("a batch refuses in its place what is not", ceo.reason?.status === 403);

const refused = await graph.users.getById("ceo@contoso.com")().catch((err) => err);
check("a refusal is an HttpRequestError", refused.status === 403 && (await refused.response.json()).error.code === "accessDenied");
finish();
