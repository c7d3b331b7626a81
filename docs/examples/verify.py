"""Verifies a Slipway webhook with the standard library alone: verify(secret, headers, body) returns the event or raises."""
import base64
import hashlib
import hmac
import json
import time

TOLERANCE_SECONDS = 5 * 60


def verify(secret: str, headers: dict, body: bytes) -> dict:
    """headers: names in lower case; body: the bytes as they arrived, before any parsing."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise ValueError("the timestamp is too old, or from the future")
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers["webhook-signature"].split(" ")
    if not any(hmac.compare_digest(expected, signature) for signature in given):
        raise ValueError("no signature fits")
    return json.loads(body)


if __name__ == "__main__":
    import os
    import sys

    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = {name: os.environ[name.upper().replace("-", "_")] for name in names}
    print(verify(os.environ["HOOK_SECRET"], values, sys.stdin.buffer.read())["type"])
