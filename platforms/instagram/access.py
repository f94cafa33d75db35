"""Access to professional accounts of Instagram, by Instagram Login."""

from platforms.instagram.rules import InstagramCredentials
from platforms.meta.access import LongLivedConnector, code_endpoint


class InstagramConnector(LongLivedConnector[InstagramCredentials]):
    """Instagram's business login: it needs the *Instagram* app's id and secret, not Facebook's.

    Source: developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login.
    """

    name = "instagram"
    settings_page = "Instagram: Settings, Website permissions, Apps and websites"
    consent_page = "https://www.instagram.com/oauth/authorize"
    endpoint = code_endpoint("https://api.instagram.com/oauth/access_token")
    long_lived = "https://graph.instagram.com/access_token"
    grant_type = "ig_exchange_token"
    scopes = ("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_comments")
    optional_scopes = frozenset({"instagram_business_manage_comments"})
    later_scopes = ("instagram_business_manage_insights",)


CONNECTOR = InstagramConnector()
