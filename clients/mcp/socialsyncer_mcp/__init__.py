"""An MCP server for SocialSyncer."""
