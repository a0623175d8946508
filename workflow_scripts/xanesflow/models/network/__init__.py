"""The paper's networks: expert, universal and tuned models, and their training."""
