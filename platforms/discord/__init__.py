"""Discord, by a bot or by a channel's webhook: texts, files and embeds."""

from platforms.discord.network import Discord

NETWORK = Discord()
