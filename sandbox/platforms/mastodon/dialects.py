"""The differences between servers of Mastodon's API and Mastodon itself: single quirks, and the servers that have them.

Source: the servers' own code, as of snac 2.75, Pixelfed 2024, GoToSocial 0.19, Pleroma 2.7, Akkoma 3.15, Mastodon 4.6.
"""

from dataclasses import dataclass

QUIRKS = {
    "akkoma_source": "Lists show the text as it was sent under `akkoma.source`.",
    "boosted": "The account's own statuses are listed as boosts without words.",
    "full_links": "Links count in full, and a text that is too long is 400.",
    "html_without_accept": "Errors are redirects unless JSON is asked for.",
    "keys_ignored": "An Idempotency-Key means nothing.",
    "keys_of_refusals": "A repeat under a key is answered as its first request, also if that was refused.",
    "known_key_400": "A repeat under a known key is 400, also if its first request was refused.",
    "known_key_500": "A repeat under a known key is 500.",
    "localized": "Errors are in the account's language unless lang=en is asked for.",
    "loses_words": "The HTML of a status lacks links, emojis and lines.",
    "names_issuer": "It says of itself how people authorize apps, and sends them back with its name.",
    "no_polls": "Statuses are published without their polls.",
    "no_replies": "Lists leave out replies.",
    "no_source": "The text as it was sent cannot be asked for.",
    "no_v2": "There is no second version of what the server says of itself.",
    "old_scopes": "Apps may ask for read, write and follow alone.",
    "polls_with_media": "A status may have a poll and media.",
    "public_only": "Lists show public statuses only, even to their author.",
    "public_or_private": "Statuses are public or private, and nothing else.",
    "quote_id": "A quoted status is named by quote_id.",
    "raw_text": "Lists show the text as it was sent.",
    "refuses_403": "Posts are refused with status 403.",
    "two_letter_languages": "A language has two letters.",
    "unpaged": "Lists heed neither limit nor ids.",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A server: its name and version, and its quirks."""

    label: str
    version: str
    quirks: frozenset[str]


DIALECTS = {
    "snac": Dialect(
        "snac",
        "4.0.0 (not true; really snac/2.75)",
        frozenset(
            {
                "keys_ignored",
                "loses_words",
                "no_polls",
                "no_v2",
                "public_only",
                "public_or_private",
                "raw_text",
                "unpaged",
            }
        ),
    ),
    "pixelfed": Dialect(
        "Pixelfed",
        "2.7.2 (compatible; Pixelfed 0.12.5)",
        frozenset({"html_without_accept", "known_key_400", "no_replies", "no_source", "refuses_403"}),
    ),
    "gotosocial": Dialect("GoToSocial", "0.19.2+git-8ed7bd4", frozenset({"full_links", "keys_ignored", "raw_text"})),
    "pleroma": Dialect("Pleroma", "2.7.2 (compatible; Pleroma 2.7.0)", frozenset({"keys_of_refusals", "quote_id"})),
    "akkoma": Dialect(
        "Akkoma",
        "2.7.2 (compatible; Akkoma 3.15.2)",
        frozenset({"akkoma_source", "keys_of_refusals", "quote_id", "two_letter_languages"}),
    ),
    "mastodon_4_6": Dialect("Mastodon 4.6", "4.6.2", frozenset({"known_key_500", "polls_with_media"})),
}

CONDITIONS = QUIRKS | {
    name: f"The server is {dialect.label}: {', '.join(sorted(dialect.quirks))}." for name, dialect in DIALECTS.items()
}
