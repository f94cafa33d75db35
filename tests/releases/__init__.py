"""The releases, each as it was when it was made, and the checks that later versions keep to them."""
