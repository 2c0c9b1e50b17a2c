"""What the formats of Posthaste's description mean, for schemathesis."""

import base64
import re
import uuid

import schemathesis
from hypothesis import strategies as st


def cursor(of, keys):
    return keys.map(lambda key: base64.urlsafe_b64encode(f"{of}:{key}".encode()).decode().rstrip("="))


# Events are delivered to what is registered here: nothing but this machine, and names that nobody can have (RFC 6761).
LABEL = st.from_regex(r"[a-wyz][a-z0-9]{0,20}", fullmatch=True)
HOST = st.one_of(LABEL.map("{}.invalid".format), st.ip_addresses(v=4, network="127.0.0.0/8").map(str))
PORT = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
PATH = st.from_regex(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]{0,20}){0,4}(\?[A-Za-z0-9=&%+-]{0,30})?", fullmatch=True)

schemathesis.openapi.format("uri", st.builds("{}://{}{}{}".format, st.sampled_from(["http", "https"]), HOST, PORT, PATH))
schemathesis.openapi.format("cursor-of-deliveries", cursor("deliveries", st.uuids()))
schemathesis.openapi.format("cursor-of-runs", cursor("runs", st.uuids()))
schemathesis.openapi.format("cursor-of-dead-letters", cursor("dead-letters", st.integers(0, 2**63 - 1)))
TENANT = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
EVENT = st.builds("{}:{}/{}".format, st.integers(0, 4 * 10**15), TENANT, st.from_regex(r"[!-~]{1,255}", fullmatch=True))
schemathesis.openapi.format("cursor-of-events", cursor("events", EVENT))
schemathesis.openapi.format("cursor-of-endpoints", cursor("endpoints", st.integers(1, 2**63 - 1)))

KEY = re.compile(r'[!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}"')


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key that comes with another body is refused, rightly: each request that has a key gets its own."""
    for name in [name for name in case.headers or {} if name.lower() == "idempotency-key"]:
        if KEY.fullmatch(str(case.headers[name])):
            case.headers[name] = str(uuid.uuid4())
