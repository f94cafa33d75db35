"""What Meta's networks share: the Graph API's manners, its errors, and containers. No network of its own."""
