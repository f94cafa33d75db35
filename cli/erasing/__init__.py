"""The deletion of a workspace and of all that it has, as steps that an interrupted command takes again."""
