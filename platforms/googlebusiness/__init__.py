"""Google Business Profile: updates, events and offers on a location's profile."""

from platforms.googlebusiness.platform import GoogleBusiness

PLATFORM = GoogleBusiness()
