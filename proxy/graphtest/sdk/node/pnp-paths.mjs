// PnPjs addresses files and sites by their paths, alone and in batches. It writes paths as it is given them.
import { graphfi, GraphBrowser } from "@pnp/graph";
import { BearerToken } from "@pnp/queryable";
import "@pnp/graph/batching.js";
import "@pnp/graph/files/index.js";
import "@pnp/graph/lists/index.js";
import "@pnp/graph/sites/index.js";
import "@pnp/graph/users/index.js";
import { check, finish } from "./check.mjs";

const proxy = new URL(process.env.GRAPHPROXY_URL);
const graph = graphfi().using(GraphBrowser({ baseUrl: `${proxy.origin}/v1.0` }), BearerToken(process.env.GRAPHPROXY_KEY));
const drive = graph.drives.getById(process.env.GRAPH_DRIVE);

const file = await drive.getItemByPath("Reports/2026/q1/summary.txt")();
check("a file", file.name === "summary.txt");
const stored = await fetch(file["@microsoft.graph.downloadUrl"]); // getContent() would show the key to the host that stores the file
check("its content", (await stored.text()).startsWith("Sales rose"));
const named = await drive.getItemByPath(encodeURI("Reports/Ryan's files/doc (1) ") + "%232.txt")();
check("a file with signs in its name", named.name === "doc (1) #2.txt");
check("a file whose name is not ASCII", (await drive.getItemByPath("Übersicht.txt")()).name === "Übersicht.txt");
check("a folder", (await drive.getItemsByPath("Reports/2026")()).some((item) => item.name === "q1"));
check("a file of a user's", (await graph.users.getById("adele@contoso.com").drive.getItemByPath("readme.txt")()).name === "readme.txt");

const hr = await graph.sites.getByUrl("contoso.sharepoint.com", "/sites/hr");
check("a site by its address", (await hr()).displayName === "Team HR");
check("its lists", (await hr.lists()).length > 0);
check("a site by its path as an id", (await graph.sites.getById("contoso.sharepoint.com:/sites/hr:")()).displayName === "Team HR");

const [batched, execute] = graph.batched();
const several = Promise.allSettled([
  batched.drives.getById(process.env.GRAPH_DRIVE).getItemByPath("Reports/2026/q1/summary.txt").select("name", "size")(),
  batched.drives.getById(process.env.GRAPH_DRIVE).getItemsByPath("Reports/2026")(),
  batched.sites.getById("contoso.sharepoint.com:/sites/hr:")(),
  batched.users.getById("adele@contoso.com").drive.getItemByPath("Salaries/2026.csv")(),
]);
await execute();
const [one, children, site, salaries] = await several;
check("a file in a batch", one.value?.name === "summary.txt");
check("a folder in a batch", children.value?.length > 0);
check("a site in a batch", site.value?.displayName === "Team HR");
check("a batch refuses in its place what is not allowed", salaries.reason?.status === 403);

for (const path of ["Salaries/2026.csv", "salaries/2026.csv", "Reports/../Salaries/2026.csv"]) {
  const refused = await drive.getItemByPath(path)().catch((err) => err);
  check(`${path} is refused: ${refused.status}`, refused.status === 403);
}
finish(10);
