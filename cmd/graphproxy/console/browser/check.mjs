// Drives the pages of the console in Chromium, as a visitor would. The Go test beside this directory starts the proxies and
// gives their addresses in environment variables. It prints what fails, and ends with status 1 then.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { SANDBOX, CONSOLE, GUARDED, LOOK_KEY, CALL_KEY, CERT, CERT_KEY, OTHER_CERT, OTHER_KEY, CHROMIUM, SHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const problems = [];
const check = (holds, what) => { if (!holds) { problems.push(what); console.log("FAIL " + what); } };
const deadline = 60_000;

// What must be in no page and no event: a key, values of query options, a body.
const secrets = ["canary-key-5c1f", "canary-value-7d20", "canary-body-93ab"];

const send = (path, options = {}) => fetch(SANDBOX + path, options).then((r) => r.text());

async function traffic() {
  await send("/v1.0/users/adele@contoso.com");
  await send("/v1.0/users/ceo@contoso.com/messages?$search=" + secrets[1]);
  await send("/v1.0/users?$filter=startswith(displayName,'" + secrets[1] + "')");
  await send("/v1.0/groups?$top=1");
  await send("/v1.0/groups?$top=1");
  await send("/v1.0/groups?$top=1");
  await send("/v1.0/users/adele@contoso.com", { headers: { "X-Api-Key": secrets[0] } });
  await send("/v1.0/users/adele@contoso.com%2Fmessages");
  await send("/v1.0/users/<img src=x onerror=window.alert`table`>/messages");
  const item = (id, method, url) => ({ id, method, url });
  const requests = [item("1", "GET", "/users/adele@contoso.com"), item("<b>2</b>", "DELETE", "/users/adele@contoso.com")];
  await send("/v1.0/$batch", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ requests }) });
  await send("/v1.0/users/adele@contoso.com", {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jobTitle: secrets[2] }),
  });
}

// watched opens a page that records errors and requests to other origins.
async function watched(context, origin) {
  const page = await context.newPage();
  page.setDefaultTimeout(deadline);
  const expected = () => page.url().startsWith(GUARDED); // 401 of the sign-in page is an error in the browser's console
  page.on("console", (m) => { if (m.type() === "error" && !(expected() && m.text().includes("401"))) check(false, `${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => check(false, `${page.url()}: ${e}`));
  page.on("dialog", (d) => { check(false, `${page.url()}: a dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => check(new URL(r.url()).origin === origin || r.url().startsWith("data:"), `${page.url()} asks ${r.url()}`));
  return page;
}

async function accessible(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of found.violations) {
    check(false, `${name}: axe: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(" | ")}`);
  }
}

async function narrow(page, name) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(content <= window, `${name}: ${content} pixels are wider than the window of ${window}`);
}

async function addresses(page) {
  await page.goto(CONSOLE + "/");
  const paths = await page.$$eval("header nav a", (all) => all.map((a) => a.getAttribute("href")));
  check(paths.length >= 3, `the navigation has ${paths}`);
  await page.goto(CONSOLE + "/decisions?decision=deny");
  return [...paths, await page.getAttribute(".records tbody a", "href")];
}

async function everyPage(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 800 } });
    const page = await watched(context, CONSOLE);
    for (const path of await addresses(page)) {
      const name = `${path} ${colorScheme}`;
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(CONSOLE + path);
      await page.keyboard.press("Tab");
      check(await page.evaluate(() => document.activeElement.className === "skip"), `${name}: Tab leads not to the skip link`);
      check(await page.$$eval("h1", (all) => all.length === 1), `${name}: there is not one h1`);
      await accessible(page, name);
      await page.setViewportSize({ width: 360, height: 800 });
      await narrow(page, name);
      if (colorScheme === "light") await accessible(page, name + " 360");
      const text = await page.content();
      for (const secret of secrets) check(!text.includes(secret), `${name}: shows ${secret}`);
    }
    await context.close();
  }
}

async function decisions(browser) {
  const context = await browser.newContext();
  const page = await watched(context, CONSOLE);
  await page.goto(CONSOLE + "/decisions");
  await page.getByText("Live.", { exact: false }).first().waitFor();
  await send("/v1.0/users/live-one@contoso.com");
  await page.getByRole("link", { name: "live-one@contoso.com" }).waitFor();
  await send("/v1.0/users/<img src=x onerror=window.alert`live`>/messages");
  await page.getByText("<img src=x onerror=window.alert`live`>").first().waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  check(await page.getByRole("button", { name: "Pause" }).getAttribute("aria-pressed") === "true", "Pause is not pressed");

  await page.locator("select[name=decision]").selectOption("deny");
  await page.locator("input[name=path]").fill("ceo@");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/decision=deny/);
  const shown = await page.$$eval(".records tbody tr", (rows) => rows.map((r) => r.textContent));
  check(shown.length > 0 && shown.every((t) => t.includes("ceo@") && t.includes("deny")), `the filter shows ${shown}`);
  await page.getByText("Live.", { exact: false }).first().waitFor();
  await send("/v1.0/users/live-two@contoso.com");
  await send("/v1.0/users/ceo@contoso.com/events");
  await page.getByRole("link", { name: "/users/ceo@contoso.com/events" }).waitFor();
  check(await page.getByText("live-two").count() === 0, "the live update shows what the filter leaves out");

  await page.getByRole("link", { name: "/users/ceo@contoso.com/events" }).first().click();
  await page.getByRole("heading", { name: "Why" }).waitFor();
  const text = await page.textContent(".explanation");
  check(/deny +policy\.yaml:\d+ matches: ANY \/users/.test(text) && /decision +deny/.test(text), `the explanation is ${text}`);
  check((await page.textContent(".source .it")).includes("ANY /users/{id}/**"), "the line of the file is not shown");
  await page.getByRole("link", { name: /policy\.yaml, line/ }).click();
  await page.waitForURL(/\/policy#f0-\d+/);
  check((await page.textContent("tr:target")).includes("ANY /users/{id}/**"), "the link leads to another line");
  await context.close();
}

async function withoutScripts(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await watched(context, CONSOLE);
  await page.goto(CONSOLE + "/decisions");
  await page.locator("input[name=status]").fill("403");
  await page.getByRole("button", { name: "Filter" }).click();
  check((await page.locator(".records tbody tr").count()) > 0, "without JavaScript the filter shows nothing");
  await context.close();
}

async function events() {
  const answer = await fetch(CONSOLE + "/events?after=0");
  const reader = answer.body.getReader();
  let text = "";
  while (!text.includes("event: records")) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  for (const secret of secrets) check(!text.includes(secret), `an event shows ${secret}`);
}

async function signIn(browser) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await watched(context, GUARDED);
  for (const path of ["/", "/policy", "/decisions", "/events"]) {
    await page.goto(GUARDED + path);
    check(await page.getByRole("heading", { name: "Sign in" }).count() === 1, `${path} is open`);
  }
  await accessible(page, "sign-in");
  for (const key of ["wrong", CALL_KEY]) {
    await page.goto(GUARDED + "/");
    await page.getByLabel("Key").fill(key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("opens nothing here").waitFor();
  }
  await page.goto(GUARDED + "/");
  await page.getByLabel("Key").fill(LOOK_KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Signed in as ann").waitFor();
  const [cookie] = await context.cookies();
  check(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict" && cookie.expires > 0, `the cookie is ${JSON.stringify(cookie)}`);
  check(await page.evaluate(() => document.cookie) === "", "a script reads the cookie");
  await page.goto(GUARDED + "/policy");
  await page.getByRole("heading", { name: "Policy", exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await context.close();
}

async function certificates(browser) {
  for (const [certPath, keyPath, opens] of [[CERT, CERT_KEY, true], [OTHER_CERT, OTHER_KEY, false]]) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, clientCertificates: [{ origin: GUARDED, certPath, keyPath }] });
    const page = await watched(context, GUARDED);
    await page.goto(GUARDED + "/policy");
    const heading = await page.textContent("h1");
    check(heading === (opens ? "Policy" : "Sign in"), `with ${certPath} the page is ${heading}`);
    await context.close();
  }
}

// screenshots are made on demand only: SHOTS names the directory.
async function screenshots(browser) {
  for (let i = 0; i < 60; i++) {
    await traffic();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const context = await browser.newContext({ viewport: { width: 1120, height: 820 } });
  const page = await watched(context, CONSOLE);
  const shot = async (path, name) => {
    await page.goto(CONSOLE + path);
    await page.screenshot({ path: `${SHOTS}/${name}.png` });
  };
  const all = await addresses(page);
  for (const path of all) await shot(path, path === "/" ? "now" : path.split("/").length > 2 ? "explanation" : path.slice(1));
  await context.close();
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
const steps = [traffic, everyPage, decisions, withoutScripts, events, signIn, certificates];
for (const step of SHOTS ? [screenshots] : steps) {
  try {
    await step(browser);
  } catch (e) {
    check(false, `${step.name}: ${e.stack}`);
  }
}
await browser.close();
console.log(problems.length === 0 ? "ok" : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
