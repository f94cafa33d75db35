"""The cost of campaigns, pauses and bulk deliveries, each beside its floor."""
