"""Which addresses are this machine's own."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that no request to it goes further.

    Parameters
    ----------
    host : str
        A name or an address, without brackets or port.

    Returns
    -------
    bool
        True for ``localhost`` and the loopback addresses.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "example.com")]
    [True, True, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
