"""Addresses and TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from vecinity.indexer.errors import SettingError

# TLS 1.2 without what HTTP/2 forbids (RFC 9113, appendix A); TLS 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
BACKLOG = 1_024
"""Connections that wait to be accepted."""


def open_sockets(listen: str, *, reuse_port: bool = False, listening: bool = True) -> tuple[list[socket.socket], str]:
    """Take an address: a socket for each address family that the host's name has.

    Args:
        listen: host:port; port 0 takes a free one.
        reuse_port: Whether other processes may take the same address, and the kernel share the calls out.
        listening: Whether connections are queued from now on; else the address is only kept for others.

    Returns:
        The sockets and the address with its real port.

    Raises:
        SettingError: The address can't be bound.
    """
    host, _, port = listen.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    sockets: list[socket.socket] = []
    number = int(port)
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            bare, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            made = socket.socket(family, kind, protocol)
            sockets.append(made)
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind((address[0], number, *address[2:]))
            if listening:
                made.listen(BACKLOG)
            number = made.getsockname()[1]
    except OSError as error:
        for made in sockets:
            made.close()
        raise SettingError(
            f"can't listen on {listen}: the port is taken or the address is not of this machine; "
            "choose another with --listen, or port 0 for a free one"
        ) from error
    return sockets, f"{host}:{number}"


def tls_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS for a server of HTTP/2.

    Args:
        client_ca: Whose certificates clients must show; None asks them for none.

    Raises:
        SettingError: A file is not there, or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(
            f"tls_certificate {certificate} and tls_key {key} are no certificate and its key, both as PEM ({error})"
        ) from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise SettingError(f"tls_client_ca {client_ca} holds no certificates as PEM ({error})") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context
