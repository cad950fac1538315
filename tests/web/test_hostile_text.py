"""What strangers write stays text: forty hostile strings through every field of the log, event and bin pages."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from sqlalchemy import update

from console.models import Delivery, Event, Hook
from console.services.bins import bins, catching

STRINGS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script href=//evil.example/x.js /></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<form action=//evil.example><input name=csrf_token>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<!--",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "</pre></code></details><h1>Owned</h1>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</template></noscript><script>alert(1)</script>",
    '" autofocus onfocus=alert(1) x="',
    "' autofocus onfocus=alert(1) x='",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "` onmouseover=alert(1) `",
    '" hx-get="//evil.example" hx-trigger="load" x="',
    "<div hx-get=/o/acme/hooks hx-trigger=load hx-on::load=alert(1)></div>",
    "<div data-hx-get=/logout data-hx-trigger=load data-copy=x data-dialog=y></div>",
    "{{ 7919*7919 }} {% raw %} {{ config }} {{ request.environ }}",
    "${7919*7919} #{7919*7919} <%= 7919*7919 %> [[${7919*7919}]]",
    "javascript:alert(1)//",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\u202egnp.exe\u202c \u2066hidden\u2069",
    "zero\u200bwidth\u200djoined\ufeff",
    "\x01\x02\x08\x0b\x1b[31mred\x1b[0m\x7f\x85\x9b",
    "line\u2028separator\u2029paragraph\r\nSet-Cookie: x=y",
    "\ufffd\U0001f600\u0301\u0489" + "\u0300" * 60,
    "A" * 90 + "<b>" + "\u202e" * 9,
]
INVISIBLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
ADDRESSES = {"href", "src", "action", "formaction", "hx-get", "hx-post", "data-hx-get", "xlink:href"}


def test_there_are_forty() -> None:
    assert len(set(STRINGS)) == 40


class Markup(HTMLParser):
    """The tags of a page with their attributes, and its text: a tree of each page would take most of the time."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data) -> None:
        self.text += data


def check_inert(answer, *, string: str) -> None:
    """Check that nothing of *string* became markup, and that it is not hidden from the eye either."""
    assert answer.status_code in {200, 422}
    page = Markup(answer.text)
    names = [name for name, _ in page.tags]
    assert names.count("h1") == 1
    scripts = [attributes.get("src", "") for name, attributes in page.tags if name == "script"]
    assert {src.split("?")[0].rsplit("/", 1)[-1] for src in scripts} <= {
        "console.js",
        "keys.js",
        "live.js",
        "htmx.min.js",
    }
    assert not {"iframe", "base", "style", "object", "embed", "math", "img"} & set(names)
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or "hx-on" in name], (tag, attributes)
        for name in attributes.keys() & ADDRESSES:
            value = attributes[name]
            assert value == "" or value.startswith(("/", "#")), (name, value)
            assert not value.startswith("//")
    # What is copied or edited stays as it is; what is read is made visible.
    shown = re.sub(r'(?:data-copy|value)="[^"]*"|<textarea.*?</textarea>', "", answer.text, flags=re.DOTALL)
    hidden = INVISIBLE.search(shown)
    assert hidden is None, shown[max(hidden.start() - 300, 0) : hidden.end()]
    loading = [attributes for name, attributes in page.tags if name in {"link", "meta", "script", "form"}]
    assert "evil.example" not in str(loading)
    assert "62710561" not in page.text or "7919*7919" not in string


@pytest.fixture
def soiled(scene, work, ada):
    """Put a string into every column of a delivery, its attempt, event and hook, past all checks."""

    def soil(string: str) -> Delivery:
        hook = scene.hook()
        (delivery,) = scene.publish()
        short = string[:100]
        body = json.dumps({string: [string]}, ensure_ascii=False).encode()
        scene.attempt(
            delivery,
            outcome="client_error",
            status=400,
            error=string,
            url=string,
            method=string[:40],
            peer=string[:64],
            body_note=string,
            request_headers=[[string, string]],
            response_headers=[[string, string]],
            response_body=string.encode(),
            trigger=string[:10],
        )
        scene.attempt(delivery, number=2, status=None, outcome="timeout", error=string, response_body=body)
        scene.put(
            delivery, event_type=string, url=string, waiting_reason=string, last_outcome=string[:30], last_status=None
        )
        work.session.execute(update(Hook).values(name=string, url=string, description=string))
        work.session.execute(
            update(Event).values(
                type=string,
                message=string,
                object_model=short,
                object_pk=short,
                source=string[:50],
                idempotency_key=string,
                payload=body,
                context=body,
            )
        )
        work.session.commit()
        assert hook.number == delivery.hook_number
        return delivery

    return soil


@pytest.mark.parametrize("string", STRINGS)
def test_a_hostile_string_stays_text_in_the_log_and_on_the_pages_of_delivery_and_event(
    signed_in, ada, soiled, string
) -> None:
    delivery = soiled(string)
    browser = signed_in(ada)
    paths = [
        "/o/acme/deliveries",
        f"/o/acme/deliveries/{delivery.id}",
        f"/o/acme/hooks/{delivery.hook.id}/deliveries",
        "/o/acme/events",
        f"/o/acme/events/{delivery.event.id}",
        "/o/acme/settings/audit",
    ]

    for path in paths:
        check_inert(browser.get(path), string=string)
    for names in (("q", "event_type", "outcome"), ("state", "since", "hook")):
        check_inert(browser.get("/o/acme/deliveries", query_string=dict.fromkeys(names, string)), string=string)


@pytest.mark.parametrize("string", STRINGS)
def test_a_hostile_string_stays_text_in_a_bin(signed_in, ada, work, string) -> None:
    made = bins.create(work, organization=ada.organization, name=f"n{string}"[:200])
    bins.change(work, changed=made, answer_body=string)
    headers = [(string, string), ("webhook-id", string), ("webhook-signature", string), ("webhook-timestamp", string)]
    for body in (string.encode(), json.dumps({string: string}).encode()):
        catching.catch(work, key=made.key, method=string, path=f"/in/{made.key}?{string}", headers=headers, body=body)
    browser = signed_in(ada)

    for path in ("", f"/{made.id}", f"/{made.id}/edit", f"/{made.id}?confirm=delete"):
        check_inert(browser.get(f"/o/acme/bins{path}"), string=string)
    caught = browser.post(f"/in/{made.key}", data=string.encode())
    assert caught.mimetype == "text/plain"
    assert caught.text == string
