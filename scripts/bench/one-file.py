"""The way of the original script: one process for one file. Token, signature, one multipart POST, the answer printed."""

import hashlib
import json
import mimetypes
import os
import sys
import time
import urllib.request
import uuid

APP_ID = "100003"
APP_KEY = "38d2391985e2369a5fb8227d8e6cd5e5"


def read_token(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        token = answer.read().decode().strip()
    return token if token.lower().startswith("bearer ") else "Bearer " + token


def form_of(path):
    boundary = uuid.uuid4().hex
    name = os.path.basename(path)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    with open(path, "rb") as file:
        content = file.read()
    return boundary, head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def upload(token_url, upload_url, path):
    boundary, body = form_of(path)
    timestamp = str(int(time.time()))
    request = urllib.request.Request(upload_url, data=body, method="POST")
    request.add_header("Authorization", read_token(token_url))
    request.add_header("X-Auth-Appid", APP_ID)
    request.add_header("X-Auth-TimeStamp", timestamp)
    request.add_header("X-Auth-Sign", hashlib.md5("&".join((APP_ID, timestamp, APP_KEY)).encode()).hexdigest())
    request.add_header("Content-Type", "multipart/form-data; boundary=" + boundary)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    answer = upload(*sys.argv[1:4])
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    sys.exit(0 if answer.get("code") == 0 else 1)
