"""`socialsyncer workspaces export`: the rows and files of a workspace, in a folder."""
