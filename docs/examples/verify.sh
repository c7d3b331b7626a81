#!/bin/sh
# Verifies a Slipway webhook with openssl: body on stdin, the rest in the environment (HOOK_SECRET, WEBHOOK_ID,
# WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE). Exit code 0: it is genuine and at most five minutes old.
set -eu
age=$(($(date +%s) - WEBHOOK_TIMESTAMP))
[ "${age#-}" -le 300 ] || { echo 'the timestamp is too old, or from the future' >&2; exit 1; }
key=$(printf %s "${HOOK_SECRET#whsec_}" | base64 -d | od -v -An -tx1 | tr -d ' \n')
expected=v1,$({ printf '%s.%s.' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP"; cat; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 | tr -d '\n')
case " $WEBHOOK_SIGNATURE " in
  *" $expected "*) ;;
  *) echo 'no signature fits' >&2; exit 1 ;;
esac
