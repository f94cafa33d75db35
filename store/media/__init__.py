"""Files that platforms fetch, and validations whose files workers check."""
