// recipe: begin
import { AllowedHostsValidator, BaseBearerTokenAuthenticationProvider } from "@microsoft/kiota-abstractions";
import { createGraphServiceClient, GraphRequestAdapter } from "@microsoft/msgraph-sdk";
import { BatchRequestContent, PageIterator } from "@microsoft/msgraph-sdk-core";
import { createUserCollectionResponseFromDiscriminatorValue } from "@microsoft/msgraph-sdk/models/index.js";
import { createODataErrorFromDiscriminatorValue } from "@microsoft/msgraph-sdk/models/oDataErrors/index.js";
import { createDeltaGetResponseFromDiscriminatorValue } from "@microsoft/msgraph-sdk-users/users/delta/index.js";
import "@microsoft/msgraph-sdk-users";

const proxy = new URL(process.env.GRAPHPROXY_URL); // https://graphproxy.contoso.com
const hosts = new AllowedHostsValidator(new Set([proxy.hostname])); // who may see the key
const adapter = new GraphRequestAdapter(new BaseBearerTokenAuthenticationProvider({
  getAuthorizationToken: async (url) => (hosts.isUrlHostValid(url) ? process.env.GRAPHPROXY_KEY : ""),
  getAllowedHostsValidator: () => hosts,
}));
adapter.baseUrl = `${proxy.origin}/v1.0`; // before the client is made
const graph = createGraphServiceClient(adapter);
const errors = { XXX: createODataErrorFromDiscriminatorValue };

async function everybody() {
  const users = [];
  const first = await graph.users.get({ queryParameters: { select: ["id", "displayName"], top: 20 } });
  await new PageIterator(adapter, first, (user) => users.push(user), createUserCollectionResponseFromDiscriminatorValue, errors).iterate();
  return users;
}

async function changes() {
  const first = await graph.users.delta.get({ queryParameters: { select: ["displayName"] } });
  const all = new PageIterator(adapter, first, () => true, createDeltaGetResponseFromDiscriminatorValue, errors);
  await all.iterate();
  return () => graph.users.delta.withUrl(all.getOdataDeltaLink()).get(); // what has changed since
}

async function several(...requests) {
  const batch = new BatchRequestContent(adapter, errors);
  const ids = requests.map((request) => batch.addBatchRequest(request).id);
  const answers = await batch.postAsync();
  return ids.map((id) => answers.getResponseById(id));
}
// recipe: end

import { check, finish, rename } from "./check.mjs";

const users = await everybody();
check("PageIterator reads 500 users on 25 pages", users.length === 500 && new Set(users.map((u) => u.id)).size === 500);

const since = await changes();
await rename("diego@contoso.com", `Diego of kiota, ${proxy.protocol}`);
const delta = await since();
check("a deltaLink tells the one change", delta.value.length === 1 && delta.value[0].displayName === `Diego of kiota, ${proxy.protocol}`);

const [adele, ceo] = await several(
  graph.users.byUserId("adele@contoso.com").toGetRequestInformation(), graph.users.byUserId("ceo@contoso.com").toGetRequestInformation(),
);
check("a batch answers what is allowed and refuses in its place what is not", adele.status === 200 && ceo.status === 403);

const refused = await graph.users.byUserId("ceo@contoso.com").get().catch((err) => err);
check("a refusal is an ODataError", refused.responseStatusCode === 403 && refused.errorEscaped.code === "accessDenied");
finish();
