"""Prove that no post goes out twice and none is lost, whatever fails and whatever is killed."""
