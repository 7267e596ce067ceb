// What apps send under rules with body:, by both of Microsoft's clients for JavaScript, and what a developer sees when it is denied.
// The test TestPublishedClientsUnderRulesForBodies of cmd/graphproxy runs it; docs/sdks.md shows what it prints.

import { AllowedHostsValidator, BaseBearerTokenAuthenticationProvider } from "@microsoft/kiota-abstractions";
import { Client } from "@microsoft/microsoft-graph-client";
import { createGraphServiceClient, GraphRequestAdapter } from "@microsoft/msgraph-sdk";
import "@microsoft/msgraph-sdk-subscriptions";
import "@microsoft/msgraph-sdk-users";
import { check, finish } from "./check.mjs";

const proxy = new URL(process.env.GRAPHPROXY_URL);
const hosts = new AllowedHostsValidator(new Set([proxy.hostname]));
const adapter = new GraphRequestAdapter(new BaseBearerTokenAuthenticationProvider({
  getAuthorizationToken: async (url) => (hosts.isUrlHostValid(url) ? process.env.GRAPHPROXY_KEY : ""),
  getAllowedHostsValidator: () => hosts,
}));
adapter.baseUrl = `${proxy.origin}/v1.0`;
const kiota = createGraphServiceClient(adapter);
const client = Client.init({
  baseUrl: proxy.origin, customHosts: new Set([proxy.hostname]), authProvider: (done) => done(null, process.env.GRAPHPROXY_KEY),
});

const adele = "adele@contoso.com";
const to = (address) => [{ emailAddress: { address } }];
const mail = (address) => ({ message: { subject: "Hello", body: { contentType: "text", content: "Hi" }, toRecipients: to(address) }, saveToSentItems: true });
const meeting = (address) => ({
  subject: "Lunch", attendees: to(address),
  start: { dateTime: "2026-12-01T12:00:00", timeZone: "UTC" }, end: { dateTime: "2026-12-01T13:00:00", timeZone: "UTC" },
});
const hook = (notificationUrl, expirationDateTime) => ({
  changeType: "created", notificationUrl, resource: `/users/${adele}/messages`, expirationDateTime, clientState: "secret",
});
const soon = new Date(Date.now() + 3600e3);

// Each request is sent twice: as it is allowed, and as it is denied.
const requests = {
  "microsoft-graph-client": {
    sendMail: (address) => client.api(`/users/${adele}/sendMail`).post(mail(address)),
    event: (address) => client.api(`/users/${adele}/events`).post(meeting(address)),
    user: (property) => client.api(`/users/${adele}`).patch({ [property]: "Engineer" }),
    subscription: (url) => client.api("/subscriptions").post(hook(url, soon.toISOString())),
  },
  Kiota: {
    sendMail: (address) => kiota.users.byUserId(adele).sendMail.post(mail(address)),
    event: (address) => kiota.users.byUserId(adele).events.post(meeting(address)),
    user: (property) => kiota.users.byUserId(adele).patch({ [property]: "Engineer" }),
    subscription: (url) => kiota.subscriptions.post(hook(url, soon)),
  },
};
const inputs = {
  sendMail: ["lee@contoso.com", "someone@example.com"],
  event: ["lee@contoso.com", "someone@example.com"],
  user: ["jobTitle", "displayName"],
  subscription: ["https://hooks.contoso.com/mail", "https://example.com/mail"],
};

for (const [name, all] of Object.entries(requests)) {
  if (name === "microsoft-graph-client" && proxy.protocol === "http:") continue; // it shows no key over http
  for (const [what, send] of Object.entries(all)) {
    const [good, bad] = inputs[what];
    const sent = await send(good).then(() => "sent", (err) => err);
    check(`${name}: ${what} is allowed${sent === "sent" ? "" : `, and ${sent.message ?? sent}`}`, sent === "sent");
    const denied = await send(bad).then(() => "sent", (err) => err);
    const status = denied.statusCode ?? denied.responseStatusCode;
    const code = denied.code ?? denied.errorEscaped?.code;
    check(`${name}: ${what} is denied`, status === 403 && code === "accessDenied");
    console.log(`${name}: ${what}: ${status} ${code}: ${denied.errorEscaped?.message ?? denied.message}`);
  }
}
finish(7);
