"""Logging in without a password, or with one that is kept as MD5.

`trust` in pg_hba.conf lets in whoever can reach the server, as any role the line names, superusers too. A password kept
as MD5 is as good as the password itself to whoever sees the digest, in a dump of the roles or a copy of the server: it
can be presented as it is, and the passwords behind it are guessed by the billion a second. PostgreSQL 18 warns of MD5,
and a later one will no longer know it. SCRAM, the default since 14, has neither weakness.

How to fix:

Put scram-sha-256 in place of trust and reload. In a container POSTGRES_HOST_AUTH_METHOD=trust is what writes such a
line; it is read only when the data directory is made. Where password_encryption is md5 set it to scram-sha-256 first;
then give each role its password again, the same one if need be, with psql's \\password, which sends no plain text. A
line that says md5 accepts both kinds, so nobody is locked out on the way.

Not reported: trust over a Unix socket that only the server's own account can open; a line that cannot be reached,
because the server does not listen there or an earlier line takes everybody; a line that asks for a client's
certificate. What is trusted on the machine itself alone, and everything while DEBUG is on, is information only.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Finding, Kind, Severity, Tag, Target, Unseen
from dbops.findings.setting_fixes import set_on_server, where_to_set
from dbops.snapshot.amounts import listed
from dbops.snapshot.names import quote_ident
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.snapshot.rows import DjangoSettings, Server
    from dbops.snapshot.security_rows import HostRule, RolePassword
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE

_HIDDEN_RULES: Final = (
    "only a superuser sees it, or who was given GRANT SELECT ON pg_hba_file_rules "
    "and GRANT EXECUTE ON FUNCTION pg_hba_file_rules()"
)
_HIDDEN_PASSWORDS: Final = "only a superuser sees how passwords are kept"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check(
    server: tuple[Server, ...],
    settings: tuple[Setting, ...],
    host_rules: tuple[HostRule, ...] | None = None,
    role_passwords: tuple[RolePassword, ...] | None = None,
    django_settings: tuple[DjangoSettings, ...] | None = None,
) -> Iterator[Finding | Unseen]:
    named = {setting.name: setting for setting in settings}
    in_development = any(one.debug for one in django_settings or ())
    worst = Severity.INFO if in_development else Severity.CRITICAL
    bad = Severity.INFO if in_development else Severity.WARNING
    if host_rules is None:
        provider = provider_of(server[0])
        yield Unseen("pg_hba.conf", f"{provider.name} keeps it to itself" if provider else _HIDDEN_RULES)
    else:
        yield from _trusting(host_rules, named, worst)
    encryption = named.get("password_encryption")
    if encryption is not None and encryption.value == "md5":
        yield Finding(
            target=Target(Kind.SETTING, encryption.name),
            message="Every password that is set from now on is kept as MD5, whose digest is as good as the password."
            + where_to_set(encryption, server[0]),
            severity=bad,
            fix=set_on_server(encryption, "'scram-sha-256'", server[0]),
        )
    if role_passwords is None:
        yield Unseen("pg_authid", _HIDDEN_PASSWORDS)
    for password in role_passwords or ():
        if password.kind == "md5":
            yield Finding(
                target=Target(Kind.ROLE, quote_ident(password.role)),
                message=(
                    f"The password of {quote_ident(password.role)} is kept as MD5: whoever sees the digest logs in "
                    "with it, and a later PostgreSQL will not know it any more."
                ),
                severity=bad,
            )


def _trusting(rules: Sequence[HostRule], settings: Mapping[str, Setting], worst: Severity) -> Iterator[Finding]:
    """One finding for the file: its lines have no names, and their numbers change."""
    near: list[HostRule] = []
    far: list[HostRule] = []
    for number, rule in enumerate(rules):
        if (
            rule.error is not None
            or rule.method != "trust"
            or any(opt.startswith("clientcert=") for opt in rule.options)
        ):
            continue
        if any(_takes_all_of(earlier, rule) for earlier in rules[:number]):
            continue
        reach = _reach(rule, settings)
        if reach is not None:
            (near if reach == "machine" else far).append(rule)
    if not near and not far:
        return
    told = far or near
    lines = listed([f"{rule.line} ({_as_written(rule)})" for rule in told])
    whoever = "whoever reaches the server over the network" if far else "whoever has an account on the server's machine"
    yield Finding(
        target=Target(Kind.SETTING, "hba_file"),
        message=(
            f"pg_hba.conf lets {whoever} log in without a password, by {'line' if len(told) == 1 else 'lines'} {lines}."
        ),
        severity=worst if far else Severity.INFO,
        evidence={"network_lines": len(far), "machine_lines": len(near)},
    )


def _as_written(rule: HostRule) -> str:
    words = [rule.type, ",".join(rule.databases), ",".join(rule.users), rule.address, rule.netmask, rule.method]
    return " ".join(word for word in words if word)


def _takes_all_of(earlier: HostRule, rule: HostRule) -> bool:
    """Whether no connection that `rule` is meant for gets past `earlier`, as far as that is certain.

    `all` takes no replication connections.
    """
    return (
        earlier.error is None
        and (earlier.type == rule.type or (earlier.type == "host" and rule.type != "local"))
        and (
            earlier.databases == rule.databases
            or (earlier.databases == ("all",) and "replication" not in rule.databases)
        )
        and (earlier.users in {("all",), rule.users})
        and ((earlier.address, earlier.netmask) in {("all", None), (rule.address, rule.netmask)})
    )


def _reach(rule: HostRule, settings: Mapping[str, Setting]) -> str | None:
    """Return from where a line can be met, `machine` or `network`; None when from nowhere."""
    if rule.type == "local":
        permissions = settings.get("unix_socket_permissions")
        is_private = permissions is not None and not int(permissions.value or "0777", 8) & 0o022
        return None if is_private else "machine"
    listening = settings.get("listen_addresses")
    names = [] if listening is None else [name.strip() for name in (listening.value or "").split(",") if name.strip()]
    if listening is not None and not names:
        return None
    if _is_loopback(rule) or rule.address == "samehost" or (names and _LOOPBACK.issuperset(names)):
        return "machine"
    return "network"


def _is_loopback(rule: HostRule) -> bool:
    if rule.address == "localhost":
        return True
    try:
        address = ipaddress.ip_address(rule.address or "")
        mask = ipaddress.ip_address(rule.netmask or "")
    except ValueError:  # all, samenet, a host's name
        return False
    needed = ipaddress.ip_address("255.0.0.0" if address.version == 4 else 2**128 - 1)
    return address.is_loopback and int(mask) & int(needed) == int(needed)
