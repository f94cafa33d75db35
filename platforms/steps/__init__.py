"""Parts of publishing that several platforms share: threads, the choice of equal posts, what follows a publication."""
