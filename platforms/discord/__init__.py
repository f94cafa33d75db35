"""Discord, by a bot or by a channel's webhook: texts, files and embeds."""

from platforms.discord.platform import Discord

PLATFORM = Discord()
