"""Throw-away certificates for the fault server: an authority, and leaves that are right or wrong in one way."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """A certificate authority of its own; *pem* is what a client must trust to accept its leaves."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = _name("Hookyard fault server authority")
        certificate = _build(self._name, issuer=self._name, key=self._key, signer=self._key, is_authority=True)
        self.pem = certificate.public_bytes(Encoding.PEM)

    def server_context(self, kind: str) -> ssl.SSLContext:
        """Return the server's context of one *kind*, a key of TLS_KINDS; all are for localhost unless wrong."""
        return TLS_KINDS[kind](self)

    def leaf(self, *hosts: str, age: timedelta = _DAY, is_self_signed: bool = False) -> ssl.SSLContext:
        """Return a server context with a new certificate for *hosts* that began *age* ago and lasts 30 days."""
        key = generate_private_key(SECP256R1())
        name = _name(hosts[0])
        certificate = _build(
            name,
            issuer=name if is_self_signed else self._name,
            key=key,
            signer=key if is_self_signed else self._key,
            begins=datetime.now(UTC) - age,
            hosts=hosts,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the ssl module loads keys from files only
            file = Path(folder, "leaf.pem")
            file.touch(mode=0o600)
            secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _build(
    name: x509.Name,
    *,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    signer: EllipticCurvePrivateKey,
    begins: datetime | None = None,
    hosts: tuple[str, ...] = (),
    is_authority: bool = False,
) -> x509.Certificate:
    begins = begins or datetime.now(UTC) - _DAY
    names: list[x509.GeneralName] = [_general_name(host) for host in hosts]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + 30 * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if is_authority:
        builder = builder.add_extension(_may_sign(), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, SHA256())


def _may_sign() -> x509.KeyUsage:
    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **others)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _tls_1_0(authority: Authority) -> ssl.SSLContext:
    context = authority.leaf("localhost", "127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 3 speaks TLS 1.0 at no higher level
    return context


TLS_KINDS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "valid": lambda authority: authority.leaf("localhost", "127.0.0.1", "hooks.example.com"),
    "expired": lambda authority: authority.leaf("localhost", "127.0.0.1", age=60 * _DAY),
    "self-signed": lambda authority: authority.leaf("localhost", "127.0.0.1", is_self_signed=True),
    "wrong-host": lambda authority: authority.leaf("elsewhere.example.com"),
    "1.0": _tls_1_0,
}
