"""The nginx site of docs/deploy, for real: nginx in front of the app, which is told who asks and under which name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import requests
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from console.settings import Settings
from tests.apps import app_of

NAME = "hooks.example.com"
SITE = Path(__file__).resolve().parents[2] / "docs" / "deploy" / "nginx.conf"
MAIN = """
daemon off; pid nginx.pid; error_log stderr; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include site.conf;
}}
"""
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx or openssl is not here")


def tell(app: Flask) -> None:
    """Add a page that tells what the app knows of a request."""
    app.add_url_rule("/seen", view_func=lambda: jsonify(address=request.remote_addr, url=request.url))


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    """Run the app behind a name that only the proxy has; give its port."""
    given = {**settings.model_dump(), "base_url": f"https://{NAME}", "proxy_hops": 1}
    with app_of(Settings(**given), besides=tell) as app:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for localhost, with its key in the same file."""
    file = tmp_path / "certificate.pem"
    what = "-newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = [str(OPENSSL), "req", "-x509", *what.split(), "-out", str(file), "-keyout", "key.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with file.open("a") as both:
        both.write((tmp_path / "key.pem").read_text())
    return file


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def https(tmp_path: Path, port: int, certificate: Path, wait_until) -> Iterator[int]:
    """Run nginx with the site, on other ports and with a certificate of the test's; give its port for https."""
    plain, secure = free_port(), free_port()
    site = SITE.read_text()
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"),
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl http2;\n", ""),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate)),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(certificate)),
    ):
        assert old in site, old
        site = site.replace(old, new)
    (tmp_path / "site.conf").write_text(site)
    (tmp_path / "nginx.conf").write_text(MAIN.format(user="user root;" if os.geteuid() == 0 else ""))
    process = subprocess.Popen([str(NGINX), "-p", str(tmp_path), "-c", "nginx.conf"])
    wait_until(lambda: process.poll() is not None or (tmp_path / "nginx.pid").exists())
    yield secure
    process.terminate()
    process.wait(10)


def test_the_app_learns_who_asks_and_by_which_url(https: int, certificate: Path) -> None:
    headers = {"Host": NAME, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example"}

    seen = requests.get(f"https://localhost:{https}/seen", headers=headers, verify=str(certificate), timeout=10)

    assert seen.json() == {"address": "127.0.0.1", "url": f"https://{NAME}/seen"}
    assert seen.headers["Strict-Transport-Security"]


def test_links_lead_to_https_and_figures_are_for_the_inside(https: int, certificate: Path) -> None:
    def get(path: str) -> requests.Response:
        url = f"https://localhost:{https}{path}"
        return requests.get(url, headers={"Host": NAME}, verify=str(certificate), timeout=10, allow_redirects=False)

    console, metrics = get("/"), get("/metrics")

    assert console.headers["Location"].startswith(("/", f"https://{NAME}/"))
    assert metrics.status_code == 404
