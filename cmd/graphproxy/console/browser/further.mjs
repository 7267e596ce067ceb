// Drives the pages Denied, Try, Candidate and Callers in Chromium. The Go test beside this directory starts a sandbox with
// a policy of its own, and gives the addresses and the policy's file in environment variables. It prints what fails, and
// ends with status 1 then.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { chromium } from "playwright-core";

const { SANDBOX, CONSOLE, POLICY, CHROMIUM } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const problems = [];
const check = (holds, what) => { if (!holds) { problems.push(what); console.log("FAIL " + what); } };
const deadline = 60_000;
const status = (path, options = {}) => fetch(SANDBOX + path, options).then((r) => r.status);

async function until(what, holds) {
  const end = Date.now() + deadline;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("not within a minute: " + what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// opened opens a page that records errors and requests to other origins.
async function opened(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(deadline);
  page.on("console", (m) => { if (m.type() === "error") check(false, `${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => check(false, `${page.url()}: ${e}`));
  page.on("dialog", (d) => { check(false, `${page.url()}: a dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => check(r.url().startsWith(CONSOLE) || r.url().startsWith("data:"), `${page.url()} asks ${r.url()}`));
  return page;
}

async function accessible(page, name) {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    for (const v of found.violations) {
      check(false, `${name}, ${width}: axe: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(" | ")}`);
    }
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    check(content <= window, `${name}: ${content} pixels are wider than the window of ${window}`);
  }
}

// The text to copy goes into the file, and then the request is allowed; so does the patch that is downloaded.
async function proposals(browser) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await opened(context);
  check(await status("/v1.0/groups?$top=1") === 403, "groups are not refused before");
  check(await status("/v1.0/users/adele@contoso.com") === 403, "a user is not refused before");
  await until("both refusals on the page", async () => {
    await page.goto(CONSOLE + "/denied");
    return await page.getByRole("heading", { name: "GET /groups" }).count() === 1 &&
      await page.getByRole("heading", { name: "GET /users/{id}" }).count() === 1;
  });
  await accessible(page, "Denied");
  const groups = page.locator("article", { hasText: "GET /groups" });
  check(/may GET \/groups/.test(await groups.textContent()), "what it would newly allow is not shown");
  check(/the token (has|does not have)/.test(await groups.textContent()), "whether the token has the role is not shown");
  await groups.getByRole("button", { name: "Copy" }).click();
  await groups.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  check(copied === "- GET /groups\n", `copied is ${JSON.stringify(copied)}`);
  const before = readFileSync(POLICY, "utf8");
  writeFileSync(POLICY, before.replace("      - GET /users\n", "      - GET /users\n" + copied.replace(/^(?=.)/gm, "      ")));
  await until("groups are allowed", async () => await status("/v1.0/groups?$top=1") === 200);

  await page.goto(CONSOLE + "/denied");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Patch with this rule" }).click(),
  ]);
  check(download.suggestedFilename() === "graphproxy-policy.patch", `the patch is named ${download.suggestedFilename()}`);
  execFileSync("patch", ["-p1", "-s", "-i", await download.path()], { cwd: dirname(POLICY) });
  await until("the user is allowed", async () => await status("/v1.0/users/adele@contoso.com") === 200);
  await context.close();
}

async function trying(browser) {
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await opened(context);
    await page.goto(CONSOLE + "/");
    await page.getByRole("link", { name: "Try", exact: true }).click();
    await page.getByLabel("Caller").fill("local");
    await page.getByLabel("Request").fill("curl -H 'X-Api-Key: typed-secret' 'https://graph.microsoft.com/v1.0/users?$top=5'");
    await page.getByRole("button", { name: "Try" }).click();
    await page.getByRole("heading", { name: "Decision" }).waitFor();
    check(/decision +allow/.test(await page.textContent(".explanation")), "the request is not allowed");
    check(!(await page.textContent(".explanation")).includes("typed-secret"), "a header is shown");
    check((await page.textContent(".source .it")).includes("GET /users"), "the line of the file is not shown");
    check(await page.getByText("callers.local.limit").count() > 0, "the limit is not shown");
    if (javaScriptEnabled) await accessible(page, "Try");
    await page.getByLabel("Request").fill("DELETE /users/1");
    await page.getByLabel("Body").fill("{\"a\": 1, \"a\": 2}");
    await page.getByRole("button", { name: "Try" }).click();
    await page.getByText("There is no decision.").waitFor();
    if (javaScriptEnabled) await accessible(page, "Try with a mistake");
    await context.close();
  }
}

async function callers(browser) {
  const context = await browser.newContext({ colorScheme: "dark" });
  const page = await opened(context);
  await page.goto(CONSOLE + "/callers");
  await page.getByRole("heading", { name: "local" }).waitFor();
  await accessible(page, "Callers");
  await page.goto(CONSOLE + "/candidate");
  await page.getByText("There is no candidate policy").waitFor();
  await accessible(page, "Candidate");
  await context.close();
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
for (const step of [proposals, trying, callers]) {
  try {
    await step(browser);
  } catch (e) {
    check(false, `${step.name}: ${e.stack}`);
  }
}
await browser.close();
console.log(problems.length === 0 ? "ok" : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
