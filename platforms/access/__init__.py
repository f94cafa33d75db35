"""Access to accounts: the operator's apps and bots, the consent of people, tokens and their renewal."""
