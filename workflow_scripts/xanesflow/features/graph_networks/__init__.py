"""Features of pretrained graph networks: M3GNet and CHGNet."""
