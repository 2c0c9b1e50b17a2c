// Verifies recorded requests as a receiver in Node does. The argument is a JSON file of secret, headers and body.

const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");

const { Webhook, WebhookVerificationError } = require("standardwebhooks");

// `X-Webhook-Signature`, checked by hand.
function isSigned(secret, headers, body) {
  const wanted = "sha256=" + crypto.createHmac("sha256", secret).update(body).digest("hex");
  const given = Buffer.from(headers["x-webhook-signature"]);
  return given.length === wanted.length && crypto.timingSafeEqual(Buffer.from(wanted), given);
}

// Standard Webhooks, checked by its own library. A secret of another form is the key as it is.
function isStandard(secret, headers, body) {
  const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" });
  try {
    webhook.verify(body.toString("utf8"), headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

const requests = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));

for (const request of requests) {
  const { secret, headers } = request;
  const body = Buffer.from(request.body, "base64");
  const later = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) };
  const other = { ...headers, "webhook-id": headers["webhook-id"] + "x" };
  // A secret that was replaced signs the one signature, and not the other.
  assert.equal(isSigned(secret, headers, body), request.newest, JSON.stringify(headers));
  assert(isStandard(secret, headers, body), JSON.stringify(headers));
  // A check that passes everything would pass these too.
  const forged = Buffer.from(body.toString("utf8").replace("}", " }"));
  assert(!isSigned(secret, headers, forged) && !isStandard(secret, headers, forged));
  assert(!isStandard(secret, later, body) && !isStandard(secret, other, body));
}

console.log(`verified ${requests.length}`);
