"""Several APIs and workers for real, behind a balancer, while each of them is replaced, killed and frozen."""
