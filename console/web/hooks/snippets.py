"""Programs that verify a hook's signature, for receivers to take as they are; the secret comes from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program in one language; *note* is a sentence about running it."""

    key: str
    name: str
    note: str
    code: str


def snippets_for(url: str) -> list[Snippet]:
    """Write the snippets for a receiver at *url*."""
    path = urlsplit(url).path or "/"
    return [
        Snippet("python", "Python", "With Flask; nothing else to install.", _PYTHON.replace("@PATH@", _quoted(path))),
        Snippet("node", "Node", "With Express; nothing else to install.", _NODE.replace("@PATH@", _quoted(path))),
        Snippet(
            "curl", "Shell", "Sends a signed request by hand, to try the receiver.", _CURL.replace("@URL@", _shell(url))
        ),
    ]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_PYTHON = """import base64, hashlib, hmac, os, time
from flask import Flask, abort, request

app = Flask(__name__)
secret = os.environ["HOOK_SECRET"]  # whsec_…
key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()

@app.post(@PATH@)
def receive():
    sent_at = request.headers["webhook-timestamp"]
    signed = f"{request.headers['webhook-id']}.{sent_at}.".encode() + request.get_data()
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = request.headers["webhook-signature"].split(" ")
    if abs(time.time() - int(sent_at)) > 300 or not any(hmac.compare_digest(expected, one) for one in given):
        abort(401)
    # Remember webhook-id and skip what you have seen: a request may come twice.
    return "", 204
"""

_NODE = """import crypto from "node:crypto";
import express from "express";

const secret = process.env.HOOK_SECRET; // whsec_…
const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);

express().post(@PATH@, express.raw({ type: "*/*" }), (request, response) => {
  const sentAt = request.get("webhook-timestamp");
  const signed = Buffer.concat([Buffer.from(`${request.get("webhook-id")}.${sentAt}.`), request.body]);
  const expected = Buffer.from("v1," + crypto.createHmac("sha256", key).update(signed).digest("base64"));
  const valid = request.get("webhook-signature").split(" ").map((one) => Buffer.from(one))
    .some((one) => one.length === expected.length && crypto.timingSafeEqual(one, expected));
  const fresh = Math.abs(Date.now() / 1000 - Number(sentAt)) <= 300;
  // Remember webhook-id and skip what you have seen: a request may come twice.
  response.sendStatus(valid && fresh ? 204 : 401);
}).listen(8080);
"""

_CURL = """# HOOK_SECRET holds the secret, whsec_…
id="test-$(date +%s)"; now="$(date +%s)"; body='{"type":"webhook.test","data":{}}'
key="$(printf %s "${HOOK_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')"
signature="$(printf %s "$id.$now.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)"
curl -i @URL@ \\
  -H 'Content-Type: application/json' \\
  -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$signature" \\
  --data-binary "$body"
"""
