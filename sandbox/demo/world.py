"""The parties of the demonstration, and one API client for each person."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sandbox.cli.client import Client

# id -> Chinese name, English name, roles it is registered for
ORGANISATIONS = {
    "authority": (
        "省数据主管部门（演示）",
        "Provincial data authority (demo)",
        ["data_authority", "implementing_body", "reviewer"],
    ),
    "provider": ("数据提供单位（演示）", "Data provider (demo)", ["provider"]),
    "operator": ("授权运营公司（演示）", "Authorised operator (demo)", ["operator"]),
    "developer": ("开发利用机构甲（演示）", "Developer A (demo)", ["developer"]),
    "rival": ("开发利用机构乙（演示）", "Developer B (demo)", ["developer"]),
    "auditor": ("审计机关（演示）", "Audit office (demo)", ["auditor"]),
}

# account -> organisation, role; each is one natural person
PEOPLE = {
    "chen-authority": ("authority", "data_authority"),
    "lin-body": ("authority", "implementing_body"),
    "zhou-reviewer": ("authority", "reviewer"),
    "wu-reviewer": ("authority", "reviewer"),
    "sun-provider": ("provider", "provider"),
    "qian-provider": ("provider", "provider"),
    "provider-connector": ("provider", "connector"),
    "zhao-operator": ("operator", "operator"),
    "li-developer": ("developer", "developer"),
    "han-rival": ("rival", "developer"),
    "xu-auditor": ("auditor", "auditor"),
}


@dataclass(frozen=True)
class World:
    """``people`` holds a client per account, ``key`` the provider's manifest key."""

    people: dict[str, Client]
    key: Path

    def __getitem__(self, account: str) -> Client:
        return self.people[account]

    def close(self) -> None:
        """Close everybody's connections."""
        for client in self.people.values():
            client.close()


def make_key(path: Path) -> str:
    """An Ed25519 key for the provider's connector; returns the public half (base64, raw)."""
    key = Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def found(url: str, admin_token: str, folder: Path) -> World:
    """Register the organisations, open the accounts, give the tokens: all through the API."""
    admin = Client(url, admin_token)
    public = make_key(folder / "manifest.pem")
    for id, (zh, en, roles) in ORGANISATIONS.items():
        keys = {"k1": public} if id == "provider" else {}
        spec = {"name_zh": zh, "name_en": en, "roles": roles, "manifest_keys": keys}
        admin.create("organisation", spec, id)
        admin.act("organisation", id, "activate")
    people: dict[str, Client] = {}
    for account, (organisation, role) in PEOPLE.items():
        admin.call(
            "POST", "/v1/accounts", json={"id": account, "name": account, "person": f"person-{account}"}
        )
        body = {"organisation": organisation, "role": role}
        admin.call("POST", f"/v1/accounts/{account}/memberships", json=body)
        answer = admin.call("POST", f"/v1/accounts/{account}/tokens", json={"name": "demo", "days": 7})
        people[account] = Client(url, answer.json()["token"])
    admin.close()
    return World(people, folder / "manifest.pem")
