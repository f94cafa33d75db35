"""A proof that no post is published twice and none is lost, whatever fails and whatever is killed."""
