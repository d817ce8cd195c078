"""Webhooks are sent to the public internet only, by https with a certificate that holds, whatever a name is said to stand for."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import load_settings
from api.webhooks.addresses import Addresses, UnknownNameError, is_public
from api.webhooks.sending import READ, Answer, Message, Sender
from api.wiring import open_daybook
from bus.webhooks.sealing import fresh_secret
from tests.api.webhooks.receiver import Receiver, Reply, receiving

FORBIDDEN = (
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.9.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - it is refused
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
)


@pytest.fixture
def strict(data_folder: Path) -> Iterator[TestClient]:
    """A Daybook that sends to the public internet only."""
    with open_daybook(load_settings({}, data=data_folder)) as daybook, TestClient(create_app(daybook)) as http:
        yield http


def sent(
    url: str, names: dict[str, list[str]], *, private: bool = False, tls: ssl.SSLContext | None = None, seconds: float = 5.0
) -> Answer:
    """What comes of sending to an address, where names stand for what is said."""

    def lookup(host: str, _: int) -> Sequence[str]:
        if host not in names:
            raise UnknownNameError(host)
        return names[host].pop(0).split() if len(names[host]) > 1 else names[host][0].split()

    async def send() -> Answer:
        addresses = Addresses(private=private, most=1, lookup=lookup)
        sender = Sender(addresses, tls or ssl.create_default_context(), seconds=seconds, connections=1)
        try:
            return await sender.send(url, Message("id", b'{"type":"ping"}'), [fresh_secret()])
        finally:
            await sender.close()
            addresses.close()

    return asyncio.run(send())


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_private_address_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1"])
def test_a_private_address_is_refused_when_it_is_given(strict: TestClient, host: str) -> None:
    refused = strict.post("/v1/webhooks", json={"url": f"https://{host}/hooks"})
    assert (refused.status_code, refused.json()["code"]) == (422, "webhook.address_private")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "https://",
        "https://user:pw@example.com/",
        "https://example.com/#part",
        "https://example.com:99999",
        "x",
        "https://a b",
    ],
)
def test_what_is_no_address_is_refused(strict: TestClient, url: str) -> None:
    refused = strict.post("/v1/webhooks", json={"url": url})
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")


def test_http_is_refused(strict: TestClient) -> None:
    assert strict.post("/v1/webhooks", json={"url": "http://example.com/"}).json()["code"] == "webhook.not_https"


@pytest.mark.parametrize("found", ["127.0.0.1", "93.184.216.34 10.0.0.1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(found: str) -> None:
    with receiving() as receiver:
        told = sent(receiver.url.replace("http:", "https:").replace("127.0.0.1", "inside.example"), {"inside.example": [found]})
        assert (told.reason, told.status, receiver.got) == ("address", None, [])


def test_a_name_that_changes_its_meaning_after_the_check_gains_nothing() -> None:
    """What was checked is what is connected to: the second answer of the name server is never asked for."""
    with receiving() as receiver:
        names = {"rebinding.example": ["192.0.2.1", "127.0.0.1"]}
        told = sent(receiver.url.replace("http:", "https:").replace("127.0.0.1", "rebinding.example"), names, seconds=0.5)
        assert told.reason in ("address", "timeout", "unreachable")
        assert receiver.got == []


def test_a_name_is_sent_to_by_its_checked_address_and_named_as_host() -> None:
    with receiving() as receiver:
        told = sent(receiver.url.replace("127.0.0.1", "there.example"), {"there.example": ["127.0.0.1"]}, private=True)
        assert told.delivered
        assert receiver.got[0].headers["host"].startswith("there.example:")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for a name, and the certificate, which nobody signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, secret)
    return context, cert


def test_a_certificate_must_hold_for_the_name(tmp_path: Path) -> None:
    context, cert = certificate(tmp_path, "good.example")
    trusting = ssl.create_default_context(cafile=str(cert))
    with receiving(tls=context) as receiver:

        def to(name: str, tls: ssl.SSLContext | None = None) -> Answer:
            return sent(receiver.url.replace("127.0.0.1", name), {name: ["127.0.0.1"]}, private=True, tls=tls)

        assert to("good.example", trusting).delivered
        assert to("other.example", trusting).reason == "tls"
        assert to("good.example").reason == "tls"
        assert len(receiver.got) == 1


def test_only_the_beginning_of_an_answer_is_read_and_no_redirect_is_followed() -> None:
    with receiving(lambda _: Reply(302, {"location": "http://127.0.0.1/"}, b"x" * 10_000_000)) as receiver:
        told = sent(receiver.url, {"127.0.0.1": ["127.0.0.1"]}, private=True)
        assert (told.reason, told.status, len(receiver.got)) == ("status", 302, 1)
        assert told.excerpt is not None
        assert len(told.excerpt) <= READ


def test_a_receiver_that_only_listens_is_given_up_after_a_while(receiver: Receiver) -> None:
    receiver.answering = lambda _: Reply(after=30)
    assert sent(receiver.url, {"127.0.0.1": ["127.0.0.1"]}, private=True, seconds=0.3).reason == "timeout"


def test_an_ipv6_address_is_sent_to() -> None:
    assert sent("http://[::1]:9/", {"::1": ["::1"]}, private=True).reason == "unreachable"
