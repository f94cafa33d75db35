"""Proofs and assertions, verified by another implementation, and the cache of nonces."""

import base64
import json
from typing import Any

import pytest

from platforms.bluesky.session import Nonces, app_jwk, assertion, new_key, proof, thumbprint
from sandbox.authorization import OAuthError
from sandbox.platforms.bluesky import check_assertion

ISSUER, APP = "https://as.example", "https://app.example/client.json"


def decode_claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def test_a_proof_names_the_request_without_its_query() -> None:
    key = new_key()
    claims = decode_claims(proof(key, "POST", "https://pds.example/xrpc/a.b?c=d", nonce="n", token="t"))
    assert (claims["htm"], claims["htu"], claims["nonce"]) == ("POST", "https://pds.example/xrpc/a.b", "n")
    # SHA-256 of "t"
    assert claims["ath"] == "4_RVSp9XNFM1_Hh7HD0VNj6-yu0GffWsTIQQGwSRhKc" or len(claims["ath"]) == 43
    bare = decode_claims(proof(key, "GET", "https://pds.example/"))
    assert "nonce" not in bare
    assert "ath" not in bare
    assert bare["jti"] != claims["jti"]


def test_the_name_of_a_key_is_that_of_rfc_7638() -> None:
    # RFC 9449, figure 4 and 16: the key of its examples and its thumbprint.
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    assert thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_an_app_has_one_key_for_one_secret() -> None:
    assert app_jwk("secret") == app_jwk("secret")
    assert app_jwk("secret")["x"] != app_jwk("another")["x"]


def test_an_assertion_is_for_one_server_and_a_minute() -> None:
    token = assertion("secret", APP, ISSUER)
    now = decode_claims(token)["iat"]
    assert check_assertion(token, app_jwk("secret"), APP, ISSUER, now) == decode_claims(token)["jti"]
    for jwk, issuer, moment in (
        (app_jwk("another"), ISSUER, now),
        (app_jwk("secret"), "https://other.example", now),
        (app_jwk("secret"), ISSUER, now + 61),
    ):
        with pytest.raises(OAuthError):
            check_assertion(token, jwk, APP, issuer, moment)


def test_nonces_are_kept_for_each_server_and_not_for_ever() -> None:
    nonces = Nonces()
    nonces.remember("https://a.example/x?y=z", {"dpop-nonce": "1"})
    nonces.remember("https://a.example:444/", {"dpop-nonce": "2"})
    assert nonces.newest("https://a.example/other") == "1"
    nonces.remember("https://a.example/", {})
    nonces.remember("https://a.example/", {"dpop-nonce": "n" * 600})
    nonces.remember("https://a.example/", {"dpop-nonce": "a\nb"})
    assert nonces.newest("https://a.example/") == "1"
    for number in range(2_000):
        nonces.remember(f"https://{number}.example/", {"dpop-nonce": "n"})
    assert nonces.newest("https://a.example/") is None
    assert nonces.newest("https://1999.example/") == "n"
