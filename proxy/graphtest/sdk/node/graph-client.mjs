// recipe: begin
import {
  BatchRequestContent, BatchResponseContent, Client, FileUpload, LargeFileUploadTask, PageIterator,
} from "@microsoft/microsoft-graph-client";

const proxy = new URL(process.env.GRAPHPROXY_URL); // https://graphproxy.contoso.com
const client = Client.init({
  baseUrl: proxy.origin,
  customHosts: new Set([proxy.hostname]),
  authProvider: (done) => done(null, process.env.GRAPHPROXY_KEY),
});

async function everybody() {
  const users = [];
  const first = await client.api("/users").select("id,displayName").top(20).get();
  await new PageIterator(client, first, (user) => users.push(user)).iterate();
  return users;
}

async function changes() {
  const first = await client.api("/users/delta").select("displayName").get();
  const all = new PageIterator(client, first, () => true);
  await all.iterate();
  return () => client.api(all.getDeltaLink()).get(); // what has changed since
}

async function several(...paths) {
  const batch = new BatchRequestContent(paths.map((path, i) => ({ id: `${i}`, request: new Request(`${proxy.origin}/v1.0${path}`) })));
  const answers = new BatchResponseContent(await client.api("/$batch").post(await batch.getContent()));
  return paths.map((_, i) => answers.getResponseById(`${i}`));
}

async function upload(bytes, folder, name) {
  const session = await LargeFileUploadTask.createUploadSession(client, `${folder}/${name}:/createUploadSession`, {});
  const task = new LargeFileUploadTask(client, new FileUpload(bytes, name, bytes.length), session, { rangeSize: 320 * 1024 });
  return (await task.upload()).responseBody;
}
// recipe: end

import { check, finish, rename } from "./check.mjs";

const users = await everybody();
check("PageIterator reads 500 users on 25 pages", users.length === 500 && new Set(users.map((u) => u.id)).size === 500);

const since = await changes();
await rename("alex@contoso.com", "Alex of graph-client");
const delta = await since();
check("a deltaLink tells the one change", delta.value.length === 1 && delta.value[0].displayName === "Alex of graph-client");

const [adele, ceo] = await several("/users/adele@contoso.com", "/users/ceo@contoso.com");
check("a batch answers what is allowed", adele.status === 200 && (await adele.json()).displayName === "Adele Vance");
check("a batch refuses in its place what is not", ceo.status === 403 && (await ceo.json()).error.code === "accessDenied");

const bytes = new Uint8Array(700 * 1024).map((_, i) => i % 251);
const file = await upload(bytes, "/users/adele@contoso.com/drive/root:/Reports", "graph-client.bin");
check("LargeFileUploadTask uploads three ranges", file.size === bytes.length);
const back = await client.api("/users/adele@contoso.com/drive/root:/Reports/graph-client.bin:/content").responseType("arraybuffer").get();
check("a download follows the redirect", Buffer.from(bytes).equals(Buffer.from(back)));

const refused = await client.api("/users/ceo@contoso.com").get().catch((err) => err);
check("a refusal is a GraphError", refused.statusCode === 403 && refused.code === "accessDenied");
finish();
