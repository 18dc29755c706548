"""Writes the client in Python as docs/FRONTEND.md tells it, and runs its snippet, letter for letter, against a running service
and sandbox.

Takes SERVICE_URL and SANDBOX_URL from the environment, and `ariadne-codegen` from beside the interpreter. Exits with 1 and one
line at the first wrong answer, and prints `N checks passed` at the end.
"""

import asyncio
import importlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

HOST = os.environ["SERVICE_URL"].split("://")[1].rstrip("/")
SANDBOX = os.environ["SANDBOX_URL"].rstrip("/")
ROOT = pathlib.Path(__file__).resolve().parents[2]

passed = 0


def check(name, holds, seen):
    global passed
    if not holds:
        sys.exit(f"wrong: {name}: {seen}")
    passed += 1


def snippet(language):
    """The one snippet in a language."""
    document = (ROOT / "docs/FRONTEND.md").read_text()
    found = re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    check(f"one snippet in {language}", len(found) == 1, found)
    return found[0]


def generate(folder):
    """Writes the package, with the document's own settings, and the program that uses it."""
    shutil.copy(ROOT / "schema.graphql", folder)
    operations = "client-example/client/operations"
    shutil.copytree(ROOT / operations, folder / operations)
    (folder / "pyproject.toml").write_text(snippet("toml"))
    program = snippet("python")
    check("it asks where the document says", program.count("127.0.0.1:3000") == 1, program)
    (folder / "log_in.py").write_text(program.replace("127.0.0.1:3000", HOST))
    codegen = pathlib.Path(sys.executable).with_name("ariadne-codegen")
    written = subprocess.run([codegen], cwd=folder, capture_output=True, text=True)
    check("the package is written", written.returncode == 0, written.stdout + written.stderr)
    return re.search(r'log_in\("([^"]+)", "([^"]+)"\)', program).groups()


def phone(path, body=None):
    """Speaks with the sandbox's phone API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{SANDBOX}/phone/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def approve():
    """Approves the next push, as soon as the only phone has it."""
    with urllib.request.urlopen(f"{SANDBOX}/phone/events", timeout=60) as events:
        for line in events:
            if line.startswith(b"data:") and (push := pending()):
                phone(f"approval_requests/{push}", {"status": "approved"})
                return


def pending():
    for device in phone("devices")["devices"]:
        for push in phone(f"devices/{device['authy_id']}")["approval_requests"]:
            if push["status"] == "pending":
                return push["uuid"]
    return None


async def sign_up(package, email, password):
    client = package.Client(url=f"http://{HOST}/graphql", ws_url=f"ws://{HOST}/graphql")
    person = {"full_name": "Ada Lovelace", "country_code": "1", "phone": "202 555 0123"}
    signup = (await client.signup(package.SignupInput(email=email, password=password, **person))).signup
    check("a signup begins", signup.errors == [], signup.errors)
    approve()
    async for event in client.watch_login(signup.login_token):
        status = event.login_status
    check("a signup is approved", status.state == package.LoginState.APPROVED, status.state)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        email, password = generate(folder)
        sys.path.insert(0, name)
        asyncio.run(sign_up(importlib.import_module("countersign_client"), email, password))
        program = subprocess.Popen(
            [sys.executable, "log_in.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            approve()
            told, wrong = program.communicate(timeout=60)
        finally:
            program.kill()
        check("it tells that somebody is signed in", told.strip() == "LoginState.APPROVED", told + wrong)
        check("and ends with nothing wrong", program.returncode == 0 and wrong == "", wrong)
    print(f"{passed} checks passed")


try:
    main()
except Exception as error:
    sys.exit(f"wrong: nothing is raised: {error!r}")
