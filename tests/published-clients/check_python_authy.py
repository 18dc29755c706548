"""Drives PyPI's `authy`, unchanged, through a running sandbox, and asserts every answer by the library's own rules.

Takes SANDBOX_URL and SANDBOX_KEY from the environment. Exits with 1 and one line at the first wrong answer, and prints
`N checks passed` at the end. It can be run again on the same sandbox.
"""

import http.server
import json
import os
import queue
import sys
import threading
import urllib.request

from authy.api import AuthyApiClient

SANDBOX = os.environ["SANDBOX_URL"].rstrip("/")
KEY = os.environ["SANDBOX_KEY"]
PHONE, COUNTRY, EMAIL = "405-342-5601", 1, "python@example.com"

passed = 0


def check(name, holds, seen):
    global passed
    if not holds:
        sys.exit(f"wrong: {name}: {seen}")
    passed += 1


def phone(method, path, body=None):
    """Speaks with the sandbox's phone API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{SANDBOX}/phone/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes one signed callback in."""

    arrivals = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.arrivals.put((dict(self.headers.items()), json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def users_and_codes(api):
    user = api.users.create(EMAIL, PHONE, COUNTRY)
    check("users.create", user.ok() and isinstance(user.id, int), user.content)
    again = api.users.create(EMAIL, PHONE, COUNTRY)
    check("the same phone has the same id", again.ok() and again.id == user.id, again.content)
    phone("PATCH", f"devices/{user.id}", {"onetouch": True})
    refused = api.users.create(EMAIL, "12", COUNTRY)
    check("users.create of no phone", not refused.ok() and "cellphone" in refused.errors(), refused.content)

    status = api.users.status(user.id)
    check("users.status", status.ok() and status.content["status"]["authy_id"] == user.id, status.content)
    check("users.status of nobody", not api.users.status(1234).ok(), "ok")

    ignored = api.users.request_sms(user.id)
    check("request_sms with the app is ignored", ignored.ok() and ignored.ignored(), ignored.content)
    for force in (True, "true"):
        sent = api.users.request_sms(user.id, {"force": force})
        check("request_sms with force", sent.ok() and not sent.ignored(), sent.content)
    call = api.users.request_call(user.id, {"force": "true"})
    check("request_call with force", call.ok() and not call.ignored(), call.content)
    ignored = api.users.request_call(user.id)
    check("request_call with the app is ignored", ignored.ok() and ignored.ignored(), ignored.content)

    sms = [message for message in phone("GET", f"devices/{user.id}")["messages"] if message["channel"] == "sms"]
    code = sms[-1]["code"]
    wrong = "0000000" if code != "0000000" else "1111111"
    verified = api.tokens.verify(user.id, wrong)
    check("tokens.verify of a wrong code", not verified.ok() and verified.errors(), verified.content)
    verified = api.tokens.verify(user.id, code)
    check("tokens.verify of the right code", verified.ok(), verified.content)
    verified = api.tokens.verify(user.id, code)
    check("tokens.verify of a used code", not verified.ok() and "used recently" in str(verified.errors()), verified.content)
    return user.id


def approvals(api, user_id):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/authy/callback"
    before = phone("GET", "callback")
    phone("PUT", "callback", {"url": url, "method": "POST"})
    try:
        logos = [{"res": "default", "url": "https://example.com/d.png"}, {"res": "low", "url": "https://example.com/l.png"}]
        details = {"Email Address": EMAIL, "Location": "California, USA"}
        request = api.one_touch.send_request(user_id, "Log in?", 120, details, {"login": "0198"}, logos)
        check("one_touch.send_request", request.ok() and request.get_uuid(), request.content)
        uuid = request.get_uuid()
        pending = api.one_touch.get_approval_status(uuid)
        check("it is pending", pending.ok() and pending.content["approval_request"]["status"] == "pending", pending.content)

        phone("POST", f"approval_requests/{uuid}", {"status": "approved"})
        approved = api.one_touch.get_approval_status(uuid)
        check("it is approved", approved.content["approval_request"]["status"] == "approved", approved.content)

        headers, body = Receiver.arrivals.get(timeout=10)
        headers = {name.lower(): value for name, value in headers.items()}
        signature, nonce = headers["x-authy-signature"], headers["x-authy-signature-nonce"]
        validate = api.one_touch.validate_one_touch_signature
        check("the callback is of this request", body["uuid"] == uuid and body["status"] == "approved", body)
        check("its signature is valid", validate(signature, nonce, "POST", url, body), headers)
        check("not for another URL", not validate(signature, nonce, "POST", url + "/", body), headers)
        body["status"] = "denied"
        check("not for another body", not validate(signature, nonce, "POST", url, body), headers)
    finally:
        phone("PUT", "callback", {"url": before["url"], "method": before["method"]})
        server.shutdown()
    missing = api.one_touch.get_approval_status("dda2c400-bc43-0135-d7be-1285ca17e122")
    check("an unknown request", not missing.ok() and missing.status() is False, missing.content)


def without_app(api, user_id):
    phone("PATCH", f"devices/{user_id}", {"onetouch": False})
    request = api.one_touch.send_request(user_id, "Log in?")
    check("no push without the app", not request.ok() and request.status() is False, request.content)
    sms = api.users.request_sms(user_id)
    check("an SMS without the app needs no force", sms.ok() and not sms.ignored(), sms.content)
    phone("PATCH", f"devices/{user_id}", {"onetouch": True})


def application(api):
    details = api.apps.fetch()
    check("apps.fetch", details.ok() and details.content["app"]["name"], details.content)
    stats = api.stats.fetch()
    check("stats.fetch", stats.ok() and stats.content["total_users"] >= 1, stats.content)


def main():
    api = AuthyApiClient(KEY, SANDBOX)
    user_id = users_and_codes(api)
    approvals(api, user_id)
    without_app(api, user_id)
    application(api)
    deleted = api.users.delete(user_id)
    check("users.delete", deleted.ok(), deleted.content)
    check("a deleted user is unknown", not api.users.status(user_id).ok(), "ok")
    refused = AuthyApiClient("wrong", SANDBOX).users.create(EMAIL, PHONE, COUNTRY)
    check("a wrong key", refused.response.status_code == 401 and not refused.ok(), refused.content)
    print(f"{passed} checks passed")


try:
    main()
except Exception as error:
    sys.exit(f"wrong: an answer for each call: {error!r}")
