"""Verifies recorded requests as a receiver in Python does. The argument is a JSON file of secret, headers and body."""

import base64
import hashlib
import hmac
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def is_signed(secret, headers, body):
    """`X-Webhook-Signature`, checked by hand."""
    digest = hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest("sha256=" + digest, headers["x-webhook-signature"])


def is_standard(secret, headers, body):
    """Standard Webhooks, checked by its own library. A secret of another form is the key as it is."""
    key = secret if secret.startswith("whsec_") else secret.encode("utf-8")
    try:
        Webhook(key).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


with open(sys.argv[1], encoding="utf-8") as file:
    requests = json.load(file)

for request in requests:
    secret, headers, body = request["secret"], request["headers"], base64.b64decode(request["body"])
    later = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}
    other = {**headers, "webhook-id": headers["webhook-id"] + "x"}
    # A secret that was replaced signs the one signature, and not the other.
    assert is_signed(secret, headers, body) == request["newest"], headers
    assert is_standard(secret, headers, body), headers
    # A check that passes everything would pass these too.
    forged = body.replace(b"}", b" }", 1)
    assert not is_signed(secret, headers, forged) and not is_standard(secret, headers, forged), headers
    assert not is_standard(secret, later, body) and not is_standard(secret, other, body), headers

print(f"verified {len(requests)}")
