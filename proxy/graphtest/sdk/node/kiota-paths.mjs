// Kiota's client addresses files and sites by their paths: the path is the key, so the client escapes it into one segment. Where
// graph is made is in kiota.mjs. @microsoft/msgraph-sdk-drives is not in the registry; drive() makes its requests from the URL
// templates that it has in its source.
import { AllowedHostsValidator, BaseBearerTokenAuthenticationProvider, HttpMethod, RequestInformation } from "@microsoft/kiota-abstractions";
import { createGraphServiceClient, GraphRequestAdapter } from "@microsoft/msgraph-sdk";
import { BatchRequestContent } from "@microsoft/msgraph-sdk-core";
import { createODataErrorFromDiscriminatorValue } from "@microsoft/msgraph-sdk/models/oDataErrors/index.js";
import "@microsoft/msgraph-sdk-sites";
import { check, finish } from "./check.mjs";

const proxy = new URL(process.env.GRAPHPROXY_URL);
const hosts = new AllowedHostsValidator(new Set([proxy.hostname]));
const adapter = new GraphRequestAdapter(new BaseBearerTokenAuthenticationProvider({
  getAuthorizationToken: async (url) => (hosts.isUrlHostValid(url) ? process.env.GRAPHPROXY_KEY : ""),
  getAllowedHostsValidator: () => hosts,
}));
adapter.baseUrl = `${proxy.origin}/v1.0`;
const graph = createGraphServiceClient(adapter);
const errors = { XXX: createODataErrorFromDiscriminatorValue };

// drive is drives.byDriveId(id).items.byDriveItemId(path), and what below says of it.
function drive(method, path, below = "") {
  return new RequestInformation(method, `{+baseurl}/drives/{drive%2Did}/items/{driveItem%2Did}${below}`, {
    baseurl: adapter.baseUrl, "drive%2Did": process.env.GRAPH_DRIVE, "driveItem%2Did": path,
  });
}

// content sends a request for the bytes of a file, and answers them as text.
async function content(path) {
  return Buffer.from(await adapter.sendPrimitive(drive(HttpMethod.GET, path, "/content"), "ArrayBuffer", errors)).toString();
}

for (const path of ["Reports/2026/q1/summary.txt", "Reports/2026/q1/50% done.txt", "Reports/Ryan's files/doc (1) #2.txt", "Übersicht.txt"]) {
  check(`the content of ${path}`, (await content(`root:/${path}:`)).length > 0);
}

const write = drive(HttpMethod.PUT, "root:/Reports/a & b + c.txt:", "/content");
write.setStreamContent(new TextEncoder().encode("from Kiota").buffer, "text/plain");
await adapter.sendNoResponseContent(write, errors);
check("what is uploaded comes back", (await content("root:/Reports/a & b + c.txt:")) === "from Kiota");

const hr = await graph.sites.bySiteId("contoso.sharepoint.com:/sites/hr").get();
check("a site", hr.displayName === "Team HR");
const same = await graph.sites.bySiteId("contoso.sharepoint.com:/sites/hr:").get();
check("a site whose path ends in a colon", same.id === hr.id);
const lists = await graph.sites.bySiteId("contoso.sharepoint.com:/sites/hr:").lists.get();
check("the lists of a site", lists.value.length > 0);

const batch = new BatchRequestContent(adapter, errors);
const ids = [
  graph.sites.bySiteId("contoso.sharepoint.com:/sites/hr:").toGetRequestInformation(), drive(HttpMethod.GET, "root:/Reports/2026:", "/children"),
  graph.sites.bySiteId("contoso.sharepoint.com:/sites/marketing:").toGetRequestInformation(), drive(HttpMethod.GET, "root:/Salaries/2026.csv:", "/content"),
].map((request) => batch.addBatchRequest(request).id);
const answers = await batch.postAsync();
const statuses = ids.map((id) => answers.getResponseById(id).status);
check(`a batch answers what is allowed and refuses in its place what is not: ${statuses}`, `${statuses}` === "200,200,403,403");

for (const [what, path] of [["a file", "root:/Salaries/2026.csv:"], ["a file in capitals", "root:/SALARIES/2026.csv:"]]) {
  const refused = await content(path).catch((err) => err);
  check(`${what} that is denied`, refused.responseStatusCode === 403 && refused.errorEscaped.innerError?.additionalData?.code === "policyDenied");
}
const refused = await graph.sites.bySiteId("contoso.sharepoint.com:/sites/marketing").get().catch((err) => err);
check("a site that is denied", refused.responseStatusCode === 403);
finish(10);
