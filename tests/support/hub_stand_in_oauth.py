"""Signing in with the stand-in of the Hub: OpenID Connect, authorization code, as Spaces use it.

Whoever comes to the page of consent is `hub.extra["at_browser"]` (the token of a user), and agrees at once.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse

if TYPE_CHECKING:
    from tests.support.hub_stand_in import Hub, User

CLIENT_ID, CLIENT_SECRET = "stand-in-client", "stand-in-secret"
SIGNED_IN_S = 8 * 3600


def space_variables(hub: Hub, scopes: str = "openid profile") -> dict[str, str]:
    """What a Space with `hf_oauth: true` finds in its environment."""
    return {
        "OAUTH_CLIENT_ID": CLIENT_ID,
        "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
        "OAUTH_SCOPES": scopes,
        "OPENID_PROVIDER_URL": hub.url,
    }


def configuration(hub: Hub, request: Request) -> Any:
    return {
        "issuer": hub.url,
        "authorization_endpoint": f"{hub.url}/oauth/authorize",
        "token_endpoint": f"{hub.url}/oauth/token",
        "userinfo_endpoint": f"{hub.url}/oauth/userinfo",
        "jwks_uri": f"{hub.url}/oauth/jwks",
        "scopes_supported": ["openid", "profile", "jobs"],
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


def authorize(hub: Hub, request: Request) -> Any:
    asked = request.query_params
    if asked.get("client_id") != CLIENT_ID or asked.get("response_type") != "code":
        return JSONResponse({"error": "invalid_client"}, 400)
    code = secrets.token_urlsafe(16)
    hub.extra.setdefault("codes", {})[code] = {
        "token": hub.extra["at_browser"],
        "nonce": asked.get("nonce"),
        "redirect_uri": asked["redirect_uri"],
        "scope": asked.get("scope", ""),
    }
    uri = asked["redirect_uri"]
    return RedirectResponse(
        f"{uri}{'&' if '?' in uri else '?'}{urlencode({'code': code, 'state': asked['state']})}", 302
    )


async def token(hub: Hub, request: Request) -> Any:
    """A code is good once."""
    form = await request.form()
    given = hub.extra.get("codes", {}).pop(str(form.get("code")), None)
    if given is None or form.get("redirect_uri") != given["redirect_uri"]:
        return JSONResponse({"error": "invalid_grant"}, 400)
    user, now = hub.users[given["token"]], int(time.time())
    claims = {
        **_profile(user),
        "iss": hub.url,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 3600,
        "nonce": given["nonce"],
        "auth_time": now,
    }
    return {
        "access_token": given["token"],
        "token_type": "bearer",
        "expires_in": SIGNED_IN_S,
        "scope": given["scope"],
        "id_token": jwt.encode({"alg": "RS256", "kid": "one"}, claims, _key(hub)),
    }


def userinfo(hub: Hub, request: Request) -> Any:
    user = hub.user(request)
    return JSONResponse({"error": "invalid_token"}, 401) if user is None else _profile(user)


def jwks(hub: Hub, request: Request) -> Any:
    return {"keys": [{**_key(hub).as_dict(private=False), "kid": "one", "alg": "RS256", "use": "sig"}]}


def _profile(user: User) -> dict[str, Any]:
    return {
        "sub": f"id-of-{user.name}",
        "name": user.name.title(),
        "preferred_username": user.name,
        "profile": f"https://huggingface.co/{user.name}",
        "picture": "",
        "website": "",
        "isPro": False,
        "canPay": user.can_pay,
        "orgs": [
            {"sub": f"id-of-{org}", "name": org, "preferred_username": org, "picture": "", "roleInOrg": "contributor"}
            for org in user.orgs
        ],
    }


def _key(hub: Hub) -> RSAKey:
    return hub.extra.setdefault("key", RSAKey.generate_key(2048, {"kid": "one"}))


OAUTH = [
    ("GET", "/.well-known/openid-configuration", configuration),
    ("GET", "/oauth/authorize", authorize),
    ("POST", "/oauth/token", token),
    ("GET", "/oauth/userinfo", userinfo),
    ("GET", "/oauth/jwks", jwks),
]
