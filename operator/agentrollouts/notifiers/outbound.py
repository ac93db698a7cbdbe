"""One POST to somewhere outside: which addresses may be called, and how little of the answer counts.

- A name is looked up once, and the address that was checked is the one that is called, so a name that changes its address in
  between leads nowhere else. Behind a proxy of the environment the proxy looks names up; addresses are checked all the same.
- Link-local addresses and those where clouds keep their metadata are refused, however they are written.
- No redirect is followed, and no byte of a body is read: the status is all that counts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx

from agentrollouts.ports import Delivered, Undelivered

T = TypeVar("T")
LOOKUPS = 8
"""Threads for looking up names: our own, so that a name server that hangs holds up nobody else's connection."""
ADDRESSES = 3
"""Addresses of a name that are tried, one after the other, until one takes a connection."""
CONNECTING = 1.5
"""Seconds until the next address is tried."""
LONGEST_PAUSE = 300.0
"""Seconds that a destination may ask for at most."""
_NOT_CALLED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # the wire server of Azure
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "fd00:ec2::/32",  # metadata of AWS
        "fd20:ce::254/128",  # metadata of Google Cloud
        "ff00::/8",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddressError(Exception):
    """An address that isn't called."""


def is_refused(text: str) -> bool:
    """Whether an address must not be called; one that has an IPv4 address inside is judged by that one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            address = inner
    return any(address in network for network in _NOT_CALLED)


@dataclass(slots=True)
class Outbound:
    """Sends bodies. One for all notifiers."""

    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(LOOKUPS, thread_name_prefix="notify")
    )
    _transports: dict[str, httpx.AsyncHTTPTransport] = field(default_factory=dict)
    """By proxy, the empty one for none."""
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what blocks for a moment beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> Delivered | Undelivered:
        """One try, without a limit on its time."""
        host = url.host
        try:
            status, pause = await self._answer(url, body, headers)
        except RefusedAddressError:
            return Undelivered(f"{host} is a link-local, metadata or multicast address, which isn't called")
        except socket.gaierror:
            return Undelivered(f"{host} can't be found")
        except (httpx.TransportError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            # NB: the text of an error may have the URL in it.
            return Undelivered(f"{host} can't be reached: {_cause(error)}")
        if 200 <= status < 300:
            return Delivered()
        more = "; redirects aren't followed" if 300 <= status < 400 else ""
        return Undelivered(f"{host} answered with HTTP {status}{more}", pause)

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, float | None]:
        proxy = proxy_of(url)
        transport = await self._transport(proxy)
        addresses = await self._addresses(url, through_proxy=bool(proxy))
        for number, address in enumerate(addresses, start=1):
            try:
                response = await transport.handle_async_request(_request(url, address, body, headers))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # NB: only where nothing was sent yet, or the notice could be told twice.
                if number == len(addresses):
                    raise
                continue
            await response.aclose()
            return response.status_code, _pause(response.headers.get("retry-after", ""))
        raise RefusedAddressError

    async def _addresses(self, url: httpx.URL, *, through_proxy: bool) -> tuple[str, ...]:
        """The first addresses of the host, all of which may be called."""
        name = url.raw_host.decode("ascii")
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            if through_proxy:
                return (url.host,)
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await self.in_thread(partial(socket.getaddrinfo, name, port, type=socket.SOCK_STREAM))
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        if any(is_refused(address) for address in addresses):
            raise RefusedAddressError
        return addresses[:ADDRESSES]

    async def _transport(self, proxy: str) -> httpx.AsyncHTTPTransport:
        async with self._opening:
            if proxy not in self._transports:
                # NB: reading the certificates takes long enough to be felt by every tick.
                context = await self.in_thread(httpx.create_ssl_context)
                # NB: no connection is kept. Two names may share an address, and one name's connection isn't the other's.
                self._transports[proxy] = httpx.AsyncHTTPTransport(
                    verify=context,
                    proxy=httpx.Proxy(proxy) if proxy else None,
                    limits=httpx.Limits(max_keepalive_connections=0),
                )
            return self._transports[proxy]


def _request(url: httpx.URL, address: str, body: bytes, headers: Mapping[str, str]) -> httpx.Request:
    """The request to one address of the URL's host; the certificate has to be the name's, not the address's."""
    return httpx.Request(
        "POST",
        url.copy_with(host=address),
        content=body,
        headers={**headers, "host": url.netloc.decode("ascii"), "connection": "close"},
        extensions={
            "sni_hostname": url.raw_host.decode("ascii"),
            "timeout": {"connect": CONNECTING},
        },
    )


def proxy_of(url: httpx.URL) -> str:
    """The proxy that the environment has for a URL; empty where there is none."""
    proxies = getproxies()
    if proxy_bypass(url.host):
        return ""
    return str(proxies.get(url.scheme) or proxies.get("all") or "")


def _pause(text: str) -> float | None:
    """Seconds of a Retry-After; None where it is a date, or nothing."""
    return min(float(text), LONGEST_PAUSE) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _cause(error: BaseException) -> str:
    """The kind of an error in words that hold nothing of the request."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate isn't trusted ({seen.verify_message})"
        if isinstance(seen, ssl.SSLError):
            return "it doesn't speak TLS as expected"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return type(error).__name__
