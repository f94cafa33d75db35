"""An MCP server for the Posts API."""
